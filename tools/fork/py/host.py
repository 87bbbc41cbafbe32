# SPDX-License-Identifier: GPL-2.0
"""Saves a machine under traffic, goes on with it twice, and judges what the two copies send.

usage: host.py FOLDER   (relative: names of sockets are short; see run)
"""

import base64
import os
import pathlib
import subprocess
import sys
import time
import uuid

TOP = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(TOP / "selftests/lib"), str(TOP / "tools/vm/py")]

from wgtest import noise  # noqa: E402
from wire import Monitor, Wire, echo_reply  # noqa: E402

PORT = 51820
PATIENCE = int(os.environ.get("WG_PATIENCE", "1"))


class Machine:
    """QEMU with the machine, and the machine's peer at the other end of its wire."""

    def __init__(self, folder, name, sessions, incoming=False):
        self.name = name
        self.sessions = sessions
        self.local, self.remote = (base64.b64decode((folder / word).read_text()) for word in ("local", "remote"))
        wire, monitor = folder / f"{name}.wire", folder / f"{name}.monitor"
        kernel = os.environ["WG_KERNEL"]
        words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
                 "-machine", "q35", "-cpu", "max,-la57", "-accel", "tcg,thread=single", "-smp", "1", "-m", "384M",
                 "-device", f"vmgenid,guid={uuid.uuid4()},id=generation",
                 "-netdev", f"stream,id=wire,server=on,addr.type=unix,addr.path={wire}",
                 "-device", "virtio-net-pci,netdev=wire,mac=52:54:00:00:00:01",
                 "-qmp", f"unix:{monitor},server=on,wait=off", "-serial", f"file:{folder / name}.console",
                 "-kernel", f"{kernel}/vmlinux", "-initrd", str(folder / "initrd"),
                 "-append", "console=ttyS0 loglevel=6 oops=panic panic=-1 no_timer_check tsc=reliable lpj=10000000 "
                            "net.ifnames=0 watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120"]
        if incoming:
            words += ["-incoming", "defer"]
        self.process = subprocess.Popen(words)  # pylint: disable=consider-using-with
        self.wire = Wire(str(wire), "10.99.0.1")
        self.monitor = Monitor(str(monitor))
        self.sent, self.answered = [], 0

    def end(self):
        self.process.kill()
        self.process.wait()

    def migrated(self):
        """Waits until the machine was saved or is back."""
        while True:
            status = self.monitor("query-migrate").get("status")
            if status == "completed":
                return
            assert status != "failed", "the machine could not be saved"
            time.sleep(0.05)

    def resume(self):
        """Lets the machine run that is back."""
        try:
            # QEMU reports the migration as completed before it has left this state.
            while self.monitor("query-status")["status"] == "inmigrate":
                time.sleep(0.05)
            self.monitor("cont")
        except OSError as error:
            status = self.process.wait(10)
            raise RuntimeError(f"{self.name}: QEMU ended with status {status}") from error

    def received(self, source, message):
        """Writes the message down and answers it."""
        self.sent.append(message)
        answer = None
        if message[0] == noise.INITIATION:
            handshake = noise.Handshake(self.remote, noise.public(self.local))
            handshake.accept_initiation(message)
            answer, session = handshake.response()
            self.sessions[session.local] = session
        elif message[0] == noise.DATA:
            session = self.sessions.get(int.from_bytes(message[4:8], "little"))
            reply = session and echo_reply(session.open(message)[1])
            if reply:
                self.answered += 1
                answer = session.data(reply)
        if answer:
            self.wire.send(source, PORT, PORT, answer)

    def until(self, condition, seconds, what):
        """Serves the machine until the condition holds."""
        end = time.monotonic() + seconds * PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{self.name}: {what}; sent {[kind(m) for m in self.sent[:10]]}"
            for source, _, dport, data in self.wire.receive(1):
                if dport == PORT:
                    self.received(source, data)


def kind(message):
    return ["", "initiation", "response", "cookie", "data"][message[0]]


def pair(message):
    """What must never repeat: receiver index and counter."""
    return message[4:8], message[8:16]


def old(parent, copy, after):
    """What a copy has sent under sessions of before, either before its first initiation or after
    it.

    Before it may be something: the kernel's notice takes an interrupt and a work item, so that a
    module does not know at once that its machine is a copy. It is the same with C.
    """
    indices = {m[4:8] for m in parent.sent if m[0] == noise.DATA}
    first = next((n for n, m in enumerate(copy.sent) if m[0] == noise.INITIATION), len(copy.sent))
    return [m for n, m in enumerate(copy.sent) if m[0] == noise.DATA and m[4:8] in indices and (n > first) == after]


def judge(parent, copies):
    """Sentences about what the copies should not have sent."""
    data = [{pair(m): m for m in machine.sent if m[0] == noise.DATA} for machine in (parent, *copies)]
    for one, other, names in ((1, 2, "both copies"), (0, 1, "the machine and its first copy"),
                              (0, 2, "the machine and its second copy")):
        common = data[one].keys() & data[other].keys()
        if common:
            same = sum(data[one][p] == data[other][p] for p in common)
            yield f"{names} sent {len(common)} times under one key and counter ({same} times the same bytes)"
    points = [{m[8:40] for m in machine.sent if m[0] == noise.INITIATION} for machine in (parent, *copies)]
    if points[1] & points[2]:
        yield "both copies have sent the same ephemeral key"
    for n in (1, 2):
        if not points[n]:
            yield f"copy {n} has not begun a handshake"
        if late := old(parent, copies[n - 1], after=True):
            yield f"copy {n} has sent {len(late)} messages under the old session after its initiation"


def main(folder):
    parent = Machine(folder, "parent", {})
    copies = []
    try:
        parent.until(lambda: parent.answered >= 8, 300, "no packets through the tunnel")
        parent.monitor("stop")
        parent.monitor("migrate", uri=f"file:{folder / 'state'}")
        parent.migrated()
        while late := parent.wire.receive(0.5):
            parent.sent += [data for _, _, dport, data in late if dport == PORT]
        parent.end()
        print(f"the machine: {len(parent.sent)} messages, {parent.answered} of its packets answered")
        # A copy meets a peer that knows the sessions of before.
        for n in (1, 2):
            copy = Machine(folder, f"copy{n}", dict(parent.sessions), incoming=True)
            copies.append(copy)
            copy.wire.machine = parent.wire.machine
            copy.monitor("migrate-incoming", uri=f"file:{folder / 'state'}")
            copy.migrated()
            copy.resume()
            copy.until(lambda: copy.answered >= 4, 120, "no packets through the tunnel")  # pylint: disable=W0640
            copy.end()
            print(f"copy {n}: {len(copy.sent)} messages, first", *[kind(m) for m in copy.sent[:3]],
                  f"({len(old(parent, copy, after=False))} under the old session, before the notice)")
        bad = list(judge(parent, copies))
    finally:
        for machine in (parent, *copies):
            machine.end()
    print("\n".join(bad) if bad else "nothing in common, and both began anew")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
