"""Sends generated operations to a running system that a demo has filled, and looks at the answers.

    run.py PMS CASES

PMS is the program, CASES how many operations are sent at least. The last line tells the seed.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
PATIENCE = 120
ROLES = (
    "PARTNER_ADMIN POLICYMANAGER AUTH_PARTNER CREDENTIAL_PARTNER DEVICE_PROVIDER FTM_PROVIDER "
    "MISP_PARTNER"
).split()


def main(pms, cases):
    # PostgreSQL's account has to reach it, and /tmp may be closed to others.
    with tempfile.TemporaryDirectory(prefix="pms-fuzz-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        listen = f"127.0.0.1:{free_port()}"
        environment = os.environ | {
            "PMS_DATA_DIR": folder,
            "PMS_LISTEN": listen,
            "PMS_LOG": "error",
            "PMS_REQUESTS_PER_ADDRESS": "0",
            "PMS_REQUESTS_PER_CALLER": "0",
        }
        environment.pop("DATABASE_URL", None)
        subprocess.run([pms, "demo"], env=environment, check=True, stdout=subprocess.DEVNULL)
        roles = [word for role in ROLES for word in ("--role", role)]
        token = [pms, "token", "--subject", "fuzz", *roles]
        token = subprocess.run(token, env=environment, check=True, capture_output=True, text=True)
        service = subprocess.Popen([pms, "serve"], env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(f"http://{listen}/readyz", service)
            return fuzz(folder, f"http://{listen}/graphql", token.stdout.strip(), cases)
        finally:
            service.terminate()
            service.wait()


def fuzz(folder, url, token, cases):
    config = pathlib.Path(folder, "schemathesis.toml")
    words = json.dumps(known(url, token), ensure_ascii=False)
    config.write_text(
        f"""
[dictionaries.known]
values = {words}
[generation.dictionaries]
string = {{ dictionary = "known", probability = 0.5 }}
"""
    )
    operations = sum(len(root["fields"]) for root in ask(url, token, ROOTS)["__schema"].values())
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", url]
    command += ["--header", f"Authorization: Bearer {token}", "--phases", "fuzzing"]
    command += ["--max-examples", str(-(-cases // operations)), "--checks", "no_fault"]
    command += ["--continue-on-failure", "--suppress-health-check", "all", "--warnings", "off"]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "checks", "PYTHONPATH": python_path()}
    return subprocess.run(command, env=environment, cwd=folder).returncode


ROOTS = "{ __schema { queryType { fields { name } } mutationType { fields { name } } } }"


def known(url, token):
    """Ids and words that mean something to the system: invented ones only meet a NOT_FOUND."""
    words, after = {"Demo"}, None
    history = """query($after: String) { history(first: 200, after: $after) {
        nodes { id actor } pageInfo { hasNextPage endCursor } } }"""
    for _ in range(20):
        page = ask(url, token, history, after=after)["history"]
        words |= {node[key] for node in page["nodes"] for key in ("id", "actor")}
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    return sorted(words)


def ask(url, token, query, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
        return json.load(answer)["data"]


def wait_for(url, service):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and service.poll() is None:
        try:
            return urllib.request.urlopen(url).read()
        except OSError:
            time.sleep(0.1)
    sys.exit("pms does not get ready")


def python_path():
    return os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
