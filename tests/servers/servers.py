"""Servers to be recorded under load: how each is started, what its clients ask, how it is stopped.

A server is a class with
    needs       commands that must be there
    command     what to run, a list; self.port is free, self.directory is empty and its own
    load()      what clients got to hear, in an order that is always the same
    signal      what ends it
    codes       exit codes of a clean end
All of it happens on the loopback.
"""
import concurrent.futures
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

REQUESTS = 400
CLIENTS = 8


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    needs = ()
    signal = signal.SIGTERM
    codes = (0,)
    environment = {}
    listens = True

    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()

    @classmethod
    def name(cls):
        return cls.__name__.lower()

    @classmethod
    def missing(cls):
        return [command for command in cls.needs if find_command(command) is None]

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def prepare(self):
        pass

    def is_ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def as_user(self, command):
        return command


def find_command(command):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    versions = "/usr/lib/postgresql"
    if os.path.isdir(versions):
        for version in sorted(os.listdir(versions), reverse=True):
            path += f":{versions}/{version}/bin"
    return shutil.which(command, path=path)


class HttpServer(Server):
    paths = ["/"]

    def ask(self, path):
        for attempt in range(3):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}",
                                            timeout=60) as answer:
                    return answer.status, hashlib.sha256(answer.read()).hexdigest()
            except ConnectionResetError:
                time.sleep(0.05)
        return "reset"

    def load(self):
        asked = [self.paths[i % len(self.paths)] for i in range(REQUESTS)]
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(self.ask, asked))


class Redis(Server):
    needs = ("redis-server", "redis-cli")

    @property
    def command(self):
        return [find_command("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1",
                "--dir", self.directory, "--save", "", "--appendonly", "yes"]

    def client(self, *arguments, text=None):
        return subprocess.run(["redis-cli", "-p", str(self.port), *arguments], input=text,
                              capture_output=True, text=True, check=True).stdout

    def load(self):
        lines = "".join(f"SET key:{i} {'v' * (i % 300)}\nRPUSH list:{i % 7} {i}\nINCRBY sum {i}\n"
                        for i in range(3000))
        answers = hashlib.sha256(self.client(text=lines).encode()).hexdigest()
        rewritten = self.client("BGREWRITEAOF")  # forks
        while "aof_rewrite_in_progress:1" in self.client("INFO", "persistence"):
            time.sleep(0.05)
        return [answers, rewritten, self.client("GET", "sum"), self.client("DBSIZE"),
                self.client("LRANGE", "list:3", "0", "-1"), self.client("GET", "key:299")]


class Memcached(Server):
    needs = ("memcached",)

    @property
    def command(self):
        return [find_command("memcached"), "-l", "127.0.0.1", "-p", str(self.port), "-u", "nobody"]

    def load(self):
        heard = []
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            stream = connection.makefile("rwb")
            for i in range(3000):
                value = b"x" * (i % 500)
                stream.write(b"set k%d 0 0 %d\r\n%s\r\n" % (i, len(value), value))
                stream.flush()
                heard.append(stream.readline())
            for i in range(0, 3000, 7):
                stream.write(b"get k%d\r\n" % i)
                stream.flush()
                line = stream.readline()
                while not line.startswith(b"END"):
                    heard.append(line)
                    line = stream.readline()
        return [hashlib.sha256(b"".join(heard)).hexdigest(), len(heard)]


class Nginx(HttpServer):
    needs = ("nginx",)
    signal = signal.SIGQUIT
    paths = [f"/{size}.txt" for size in (0, 100, 5000, 200_000)] + ["/missing"]

    def prepare(self):
        for size in (0, 100, 5000, 200_000):
            self.write(f"{size}.txt", "n" * size)
        os.chmod(self.directory, 0o755)
        self.configuration = self.write("nginx.conf", f"""
worker_processes 3; daemon off; pid {self.directory}/pid; error_log {self.directory}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; gzip on; gzip_types text/plain;
  client_body_temp_path {self.directory}/b; proxy_temp_path {self.directory}/p;
  fastcgi_temp_path {self.directory}/f; uwsgi_temp_path {self.directory}/u;
  scgi_temp_path {self.directory}/s;
  server {{ listen 127.0.0.1:{self.port}; root {self.directory}; }}
}}
""")

    @property
    def command(self):
        return [find_command("nginx"), "-c", self.configuration, "-p", self.directory]

    def ask(self, path):
        try:
            return super().ask(path)
        except urllib.error.HTTPError as error:
            return error.code


class PreforkPython(HttpServer):
    needs = ("python3",)
    paths = ["/1", "/2", "/300", "/4000"]

    def prepare(self):
        self.script = self.write("server.py", """
import hashlib, http.server, os, signal, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        rows = [{"n": i, "text": hashlib.md5(str(i).encode()).hexdigest()}
                for i in range(int(self.path[1:]))]
        body = repr(rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
class Server(socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 64
server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
children = []
for i in range(3):
    pid = os.fork()
    if pid == 0:
        server.serve_forever()
        os._exit(1)
    children.append(pid)
def stop(*_):
    for pid in children:
        os.kill(pid, signal.SIGTERM)
    sys.exit(sum(os.waitpid(pid, 0)[1] for pid in children) - 3 * signal.SIGTERM)
signal.signal(signal.SIGTERM, stop)
while True:
    signal.pause()
""")

    @property
    def command(self):
        return ["/usr/bin/python3", self.script, str(self.port)]


class Postgres(Server):
    needs = ("initdb", "postgres", "pgbench", "psql", "setpriv")
    signal = signal.SIGINT  # "fast" shutdown

    def as_user(self, command):
        return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", *command]

    def run(self, *command):
        return subprocess.run(self.as_user(list(command)), capture_output=True, text=True,
                              check=True, cwd=self.directory).stdout

    def prepare(self):
        os.chmod(self.directory, 0o777)
        self.data = os.path.join(self.directory, "data")
        self.run(find_command("initdb"), "-D", self.data, "-A", "trust", "-U", "bench")

    @property
    def command(self):
        return [find_command("postgres"), "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1",
                "-k", self.directory]

    def client(self, sql):
        return self.run(find_command("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U",
                        "bench", "-Atc", sql, "postgres")

    def is_ready(self):
        try:
            return self.client("select 1") == "1\n"
        except subprocess.CalledProcessError:
            return False

    def load(self):
        bench = [find_command("pgbench"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench"]
        self.run(*bench, "-i", "-q", "-s", "1", "postgres")
        # One connection, hence one process, a transaction; then some that stay.
        self.run(*bench, "-n", "-C", "-S", "-t", "50", "-c", "4", "postgres")
        done = self.run(*bench, "-n", "-t", "100", "-c", "4", "postgres")
        return ["number of failed transactions: 0" in done,
                self.client("select count(*), sum(aid) from pgbench_accounts"),
                self.client("select count(*) from pgbench_history"),
                self.client("select sum(abalance) = (select sum(delta) from pgbench_history) "
                            "from pgbench_accounts")]


class MariaDb(Server):
    needs = ("mariadbd", "mariadb-install-db", "mariadb")

    def prepare(self):
        self.data = os.path.join(self.directory, "data")
        subprocess.run([find_command("mariadb-install-db"), f"--datadir={self.data}",
                        "--auth-root-authentication-method=normal", "--skip-test-db"],
                       check=True, capture_output=True)

    @property
    def command(self):
        return [find_command("mariadbd"), "--no-defaults", f"--datadir={self.data}", "--user=root",
                f"--port={self.port}", "--bind-address=127.0.0.1",
                f"--socket={self.directory}/socket", f"--pid-file={self.directory}/pid"]

    def load(self):
        sql = ("create database b; use b; create table t (id int primary key, v varchar(200));"
               + "".join(f"insert into t values ({i}, repeat('m', {i % 200}));" for i in range(1000))
               + "select count(*), sum(length(v)) from t; select v from t where id = 77;")
        return [subprocess.run([find_command("mariadb"), "--no-defaults", "-uroot",
                                f"--socket={self.directory}/socket"], input=sql, text=True,
                               capture_output=True, check=True).stdout]


class Java(HttpServer):
    needs = ("java", "javac")
    codes = (143,)
    paths = ["/1", "/20", "/3000"]

    def prepare(self):
        self.write("S.java", """
import com.sun.net.httpserver.*; import java.net.*; import java.util.concurrent.*;
public class S { public static void main(String[] a) throws Exception {
  HttpServer s = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(a[0])), 64);
  s.createContext("/", e -> { byte[] b = "j".repeat(
      Integer.parseInt(e.getRequestURI().getPath().substring(1))).getBytes();
    e.sendResponseHeaders(200, b.length); e.getResponseBody().write(b); e.close(); });
  s.setExecutor(Executors.newFixedThreadPool(8)); s.start(); } }
""")
        subprocess.run([find_command("javac"), "S.java"], cwd=self.directory, check=True)

    @property
    def command(self):
        return [find_command("java"), "-Xmx128m", "-cp", self.directory, "S", str(self.port)]


class Node(HttpServer):
    needs = ("node",)
    paths = ["/1", "/50", "/6000"]

    def prepare(self):
        self.script = self.write("server.js", """
const http = require('http');
const server = http.createServer((request, response) => {
  const rows = Array.from({length: +request.url.slice(1)}, (_, i) => ({i, t: 'n'.repeat(i % 50)}));
  response.end(JSON.stringify(rows));
}).listen(+process.argv[2], '127.0.0.1');
process.on('SIGTERM', () => { server.closeAllConnections?.(); server.close(() => process.exit(0)); });
""")

    @property
    def command(self):
        return [find_command("node"), self.script, str(self.port)]


class Php(HttpServer):
    needs = ("php",)
    codes = (143, -15, 0)
    paths = ["/?n=1", "/?n=40", "/?n=5000"]

    def prepare(self):
        self.write("index.php", "<?php $rows = []; for ($i = 0; $i < (int)$_GET['n']; $i++) "
                                "{ $rows[] = ['i' => $i, 't' => md5((string)$i)]; } "
                                "echo json_encode($rows);\n")

    @property
    def command(self):
        return [find_command("php"), "-S", f"127.0.0.1:{self.port}", "-t", self.directory]


class GitDaemon(Server):
    needs = ("git",)
    codes = (143, -15, 0)

    def git(self, *arguments):
        environment = dict(os.environ, GIT_AUTHOR_DATE="1000000000 +0000",
                           GIT_COMMITTER_DATE="1000000000 +0000", GIT_AUTHOR_NAME="a",
                           GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@b")
        return subprocess.run(["git", *arguments], cwd=self.directory, env=environment, text=True,
                              capture_output=True, check=True).stdout

    def prepare(self):
        self.git("init", "-q", "origin")
        for i in range(30):
            self.write(f"origin/file{i}", f"line {i}\n" * (i * 50))
            self.git("-C", "origin", "add", ".")
            self.git("-C", "origin", "commit", "-q", "-m", f"commit {i}")

    @property
    def command(self):
        return [find_command("git"), "daemon", "--reuseaddr", "--export-all",
                f"--base-path={self.directory}", f"--port={self.port}", "--listen=127.0.0.1"]

    def load(self):
        def clone(i):
            self.git("clone", "-q", f"git://127.0.0.1:{self.port}/origin", f"clone{i}")
            return self.git("-C", f"clone{i}", "log", "--format=%H %T", "-3")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(clone, range(8)))


class Make(Server):
    """No server, but as many short processes as any."""
    needs = ("make", "cc")
    listens = False

    def prepare(self):
        for i in range(24):
            self.write(f"f{i}.c", f"int f{i}(int x) {{ return x * {i} + {i}; }}\n")
        self.write("main.c", "".join(f"int f{i}(int);\n" for i in range(24)) +
                   "int main(void) { return (" + "+".join(f"f{i}(1)" for i in range(24)) + ") % 101; }\n")
        objects = " ".join(f"f{i}.o" for i in range(24))
        self.write("Makefile", f"all: main.o {objects}\n\tcc -o all main.o {objects}\n"
                               "%.o: %.c\n\tcc -O2 -c $< -o $@\n")

    @property
    def command(self):
        return [find_command("make"), "-s", "-j4", "-C", self.directory]

    def load(self):
        return [subprocess.run([os.path.join(self.directory, "all")]).returncode]


class Gunicorn(HttpServer):
    """A master and three workers that it forks."""
    needs = ("gunicorn",)
    paths = ["/1", "/2", "/300", "/4000"]

    def prepare(self):
        self.write("application.py", """
import hashlib
def application(environment, start_response):
    rows = [{"n": i, "text": hashlib.md5(str(i).encode()).hexdigest()}
            for i in range(int(environment["PATH_INFO"][1:]))]
    body = repr(rows).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
""")

    @property
    def command(self):
        return [find_command("gunicorn"), "--workers", "3", "--bind", f"127.0.0.1:{self.port}",
                "--chdir", self.directory, "application:application"]


class Uvicorn(HttpServer):
    """A parent and two workers that multiprocessing spawns; asyncio in each."""
    needs = ("uvicorn",)
    paths = ["/1", "/2", "/300", "/4000"]
    codes = (0, -signal.SIGTERM)

    def prepare(self):
        self.write("application.py", """
import asyncio, hashlib
async def row(i):
    await asyncio.sleep(0)
    return {"n": i, "text": hashlib.md5(str(i).encode()).hexdigest()}
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = repr(await asyncio.gather(*(row(i) for i in range(int(scope["path"][1:]))))).encode()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
""")

    @property
    def command(self):
        return [find_command("uvicorn"), "--workers", "2", "--host", "127.0.0.1", "--port",
                str(self.port), "--app-dir", self.directory, "application:application"]


class PhpFpm(Server):
    """The process manager with three workers, asked by a FastCGI client a request."""
    needs = ("php-fpm8.2", "cgi-fcgi")
    signal = signal.SIGQUIT

    def prepare(self):
        os.chmod(self.directory, 0o755)
        self.script = self.write("page.php", "<?php $n = (int)$_GET['n']; $rows = [];\n"
                                 "for ($i = 0; $i < $n; $i++) $rows[] = ['n' => $i, 'text' => md5($i)];\n"
                                 "echo json_encode($rows), strlen(str_repeat('x', $n * 100));\n")
        self.configuration = self.write("fpm.conf", f"""
[global]
daemonize = no
error_log = {self.directory}/error.log
pid = {self.directory}/pid
[pool]
listen = 127.0.0.1:{self.port}
user = nobody
group = nogroup
pm = static
pm.max_children = 3
""")

    @property
    def command(self):
        return [find_command("php-fpm8.2"), "--nodaemonize", "--fpm-config", self.configuration]

    def ask(self, n):
        answer = subprocess.run(["cgi-fcgi", "-bind", "-connect", f"127.0.0.1:{self.port}"],
                                env={"PATH": os.environ["PATH"], "SCRIPT_FILENAME": self.script,
                                     "REQUEST_METHOD": "GET", "QUERY_STRING": f"n={n}"},
                                stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return answer.returncode, hashlib.sha256(answer.stdout).hexdigest()

    def load(self):
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(self.ask, [(1, 20, 300, 4000)[i % 4] for i in range(REQUESTS // 2)]))


class Npm(Server):
    """No server: an installation of packages that have scripts, each a shell and a node."""
    needs = ("npm", "node")
    listens = False
    packages = 8

    def prepare(self):
        for i in range(self.packages):
            os.mkdir(os.path.join(self.directory, f"p{i}"))
            self.write(f"p{i}/package.json", json.dumps({
                "name": f"p{i}", "version": "1.0.0", "main": "index.js",
                "scripts": {"install": f"node -e \"require('fs').writeFileSync('made.txt', '{i}'.repeat(1000))\""}}))
            self.write(f"p{i}/index.js", f"module.exports = {i};\n")
        self.write("package.json", json.dumps({
            "name": "whole", "version": "1.0.0",
            "dependencies": {f"p{i}": f"file:p{i}" for i in range(self.packages)}}))

    @property
    def command(self):
        return [find_command("npm"), "install", "--offline", "--no-audit", "--no-fund",
                "--install-links", "--cache", os.path.join(self.directory, "cache")]

    def load(self):
        answers = []
        for i in range(self.packages):
            with open(os.path.join(self.directory, f"node_modules/p{i}/made.txt"), "rb") as file:
                answers.append(hashlib.sha256(file.read()).hexdigest())
        with open(os.path.join(self.directory, "package-lock.json"), "rb") as file:
            answers.append(hashlib.sha256(file.read()).hexdigest())
        return answers


SERVERS = (Redis, Memcached, Nginx, PreforkPython, Gunicorn, Uvicorn, Postgres, MariaDb, Java, Node, Npm,
           Php, PhpFpm, GitDaemon, Make)
