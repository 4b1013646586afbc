# expect: healthy
import subprocess, sys
for _ in range(3):
    subprocess.run([sys.executable, "-S", "-c", "x = [0] * 100000"], check=True)
