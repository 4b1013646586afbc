# expect: healthy
import os, tempfile
with tempfile.TemporaryDirectory() as folder:
    for number in range(200):
        path = os.path.join(folder, str(number))
        with open(path, "w") as file:
            file.write("line\n" * 1000)
        with open(path) as file:
            assert len(file.readlines()) == 1000
