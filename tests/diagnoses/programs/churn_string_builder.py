# expect: churn build
# What is added to is kept elsewhere, so that every addition copies all of it.
def build(count):
    text, last = "", None
    for number in range(count):
        last = text
        text = text + "line of some length %d\n" % number
    return len(text) + len(last)
build(6000)
