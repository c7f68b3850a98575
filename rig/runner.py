# SPDX-License-Identifier: GPL-2.0
"""What rig/check and rig/demo share: the rows of rig/cases, guests that run
tests, and the verdict on what came out of them."""

import fnmatch
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RIG = os.path.join(TOP, "rig")
BUILD = os.environ.get("MCE_BUILD", os.path.join(TOP, "build"))
SELFTESTS = os.path.join(BUILD, "selftests")
LOG = os.path.join(BUILD, "log")

MACHINES = ("intel-lmce", "intel-broadcast", "amd")
COPIES = ("fsrm", "erms", "plain")

# Exit codes of rig/guest that are its own.
PANIC, HANG, RESET, BROKEN = 240, 241, 242, 243
ENDS = {
    PANIC: "the kernel panicked",
    HANG: "the guest hung",
    RESET: "the machine was reset",
    BROKEN: "rig/guest failed",
}

# The rules under which Linux gives up on a load in the kernel: Intel, AMD.
RULES = (
    "Data load in unrecoverable area of kernel",
    "Uncorrected unrecoverable error in kernel context",
)

# What a kernel says when it has a problem of its own. A panic over poison is
# no such thing.
COMPLAINT = re.compile(
    r"BUG: |WARNING: |Oops|kernel BUG|general protection fault|"
    r"INFO: task .* blocked|rcu: INFO|Bad page (state|map)|soft lockup")


class Fault(Exception):
    """Something that the user has to know, in one line."""


# --- rows -----------------------------------------------------------------

class Row:
    """A row of rig/cases."""

    KEYS = {"stock", "on", "env", "series-env", "series", "demo"}

    def __init__(self, words, where):
        if len(words) < 3:
            raise Fault(f"{where}: PROGRAM TEST stock=OUTCOME expected")
        self.program, self.test = words[0:2]
        self.keys = {}
        for word in words[2:]:
            key, eq, value = word.partition("=")
            if not eq or key not in self.KEYS:
                raise Fault(f"{where}: '{word}' is not understood")
            self.keys[key] = value
        self.stock = self.keys.get("stock", "-")
        if not re.fullmatch(r"-|pass|panic(:.+)?|fail:.+", self.stock):
            raise Fault(f"{where}: stock={self.stock} is not understood")
        self.series = self.keys.get("series", "pass")
        if not re.fullmatch(r"pass|gap:.+", self.series):
            raise Fault(f"{where}: series={self.series} is not understood")
        self.demo = self.keys.get("demo")

    def matches(self, program, test):
        return program == self.program and fnmatch.fnmatchcase(test, self.test)

    def models(self):
        """The models on which the stock kernel is run."""
        pats = self.keys.get("on", "intel-lmce/fsrm").split(",")
        pats = ["*/*" if p == "*" else p for p in pats]
        return [(m, c) for m in MACHINES for c in COPIES
                if any(fnmatch.fnmatchcase(f"{m}/{c}", p) for p in pats)]

    def env(self, kernel, copy):
        text = self.keys.get("series-env" if kernel == "series" else "env")
        if not text:
            return ""
        name, _, values = text.partition(":")
        values = values.split("/")
        if len(values) == 1:
            values *= len(COPIES)
        return f"{name}={values[COPIES.index(copy)]}"


def rows():
    """All rows of rig/cases."""
    path = os.path.join(RIG, "cases")
    found = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            words = shlex.split(line, comments=True)
            if words:
                found.append(Row(words, f"rig/cases:{number}"))
    return found


def tests_of(program):
    """The names of a program's tests, as it will report them."""
    out = subprocess.run([os.path.join(SELFTESTS, program), "-l"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, check=False).stdout
    names, block = [], []

    def finish():
        fixture = next((b[0] for b in block if b[0]), "")
        variants = [b[1] for b in block if b[1]] or [""]
        for variant in variants:
            for entry in block:
                if entry[2]:
                    names.append(".".join(filter(None, (fixture, variant, entry[2]))))

    for line in out.splitlines():
        if line.startswith("# FIXTURE"):
            continue
        if line.startswith("---"):
            finish()
            block = []
        else:
            block.append((line[0:20].strip(), line[21:46].strip(), line[47:].strip()))
    finish()
    # The harness calls tests outside of a fixture "global.NAME".
    return names


def all_tests():
    """(program, test) of everything that is built."""
    found = []
    for program in sorted(os.listdir(SELFTESTS)):
        path = os.path.join(SELFTESTS, program)
        if program.startswith("mce_") and os.access(path, os.X_OK):
            found += [(program, t) for t in tests_of(program)]
    return found


def plain(test):
    """A test's name without what the harness puts in front of it."""
    return test[len("global."):] if test.startswith("global.") else test


def row_for(table, program, test):
    """The row that speaks about a test, or None."""
    return next((r for r in table if r.matches(program, plain(test))), None)


# --- guests ---------------------------------------------------------------

class Result:
    """A test in a guest."""

    def __init__(self, program, test):
        self.program = program
        self.test = test
        self.state = None       # pass, fail, skip
        self.why = ""
        self.outcomes = []
        self.notes = []


def carry_mkfs_xfs(where):
    """The host's mkfs.xfs and its libraries, to be called by its loader."""
    program = shutil.which("mkfs.xfs", path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")
    if not program:
        raise Fault("mkfs.xfs is not installed; run 'make install-deps'")
    shutil.copy(program, os.path.join(where, "mkfs.xfs"))
    lib = os.path.join(where, "lib")
    os.makedirs(lib)
    for line in subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True,
                               check=True).stdout.splitlines():
        for path in re.findall(r"/\S+", line)[-1:]:
            name = os.path.basename(path)
            shutil.copy(path, os.path.join(lib, "ld.so" if name.startswith("ld-") else name))


class Guest:
    """A guest that runs some tests, in the order given.

    TESTS is a list of (program, test, environment)."""

    def __init__(self, base, kernel, machine, copy, tests, name, timeout=420):
        self.base = base
        self.kernel, self.machine, self.copy = kernel, machine, copy
        self.tests = tests
        self.name = name
        self.timeout = timeout
        self.log = os.path.join(LOG, *name.split("/")) + ".log"
        self.console = self.log[:-len(".log")] + ".console"
        self.results = {(p, t): Result(p, t) for p, t, _ in tests}
        self.status = None
        self.panic = ""
        self.rule = ""
        self.complaint = ""
        self.seconds = 0
        self.process = None
        self.text = ""

    def _carry(self):
        """What goes into the guest, and what it is to do with it."""
        where = os.path.join(BUILD, "carry", self.name)
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        for program in {p for p, _, _ in self.tests}:
            os.link(os.path.join(SELFTESTS, program), os.path.join(where, program))
        shutil.copy(os.path.join(RIG, "guest-run"), os.path.join(where, "run"))
        if any("xfs" in test for _, test, _ in self.tests):
            carry_mkfs_xfs(where)
        plan, last = [], None
        for program, test, env in self.tests:
            if last and last[0:2] == (program, env):
                last[2].append(test)
            else:
                last = (program, env, [test])
                plan.append(last)
        with open(os.path.join(where, "plan"), "w", encoding="utf-8") as f:
            for program, env, tests in plan:
                f.write(" ".join(filter(None, [
                    env, "./" + program, *(f"-r {t}" for t in tests)])) + "\n")
        return where

    def command(self, carry):
        return [os.path.join(RIG, "guest"), "--kernel", given(self.kernel) or self.kernel,
                "--machine", self.machine, "--copy", self.copy,
                "--base", self.base, "--smp", "2", "--memory", "1G",
                "--timeout", str(self.timeout), "--append", "no_timer_check", "--console", self.console,
                "--carry", carry, "--", "/carry/run"]

    def run(self, told=None):
        """Run it to its end. TOLD is called with each Result that is known."""
        os.makedirs(os.path.dirname(self.log), exist_ok=True)
        carry = self._carry()
        start = time.monotonic()
        self._boot(carry, told)
        # The emulator itself fell over before anything was tested.
        if self.status == BROKEN and not any(r.state for r in self.results.values()):
            os.replace(self.log, self.log + ".first")
            self._boot(carry, told)
        self.seconds = time.monotonic() - start
        for path in (self.console, self.log):
            try:
                with open(path, encoding="utf-8", errors="replace") as f:
                    self.text += f.read()
            except FileNotFoundError:
                continue
            if path == self.console:
                self._console()
        self._end(told)
        shutil.rmtree(carry, ignore_errors=True)
        return self

    def _boot(self, carry, told):
        pending, state = [], {}
        with open(self.log, "w", encoding="utf-8", errors="replace") as log:
            command = self.command(carry)
            log.write("$ " + " ".join(command) + "\n")
            log.flush()
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True)
            for raw in self.process.stdout:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                log.write(line + "\n")
                log.flush()
                self._line(line, state, pending, told)
            self.status = self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass

    def _line(self, line, state, pending, told):
        match = re.search(r"@program (\S+)$", line)
        if match:
            state["program"] = match[1]
            return
        match = re.match(r"#  RUN +(\S+) \.\.\.", line)
        if match:
            del pending[:]
            return
        match = re.search(r"# outcome: (.*)", line)
        if match:
            pending.append(match[1])
            return
        match = re.match(r"#\s+(?:\S+\.c:\d+:\w+:)(.*)", line)
        if match:
            state.setdefault("notes", []).append(match[1].strip())
            return
        match = re.match(r"(ok|not ok) \d+ (\S+)(?:\s+#\s*(.*))?$", line)
        if match:
            result = self.results.get((state.get("program"), match[2]))
            notes = state.pop("notes", [])
            if not result or result.state:
                return
            result.outcomes = list(pending)
            del pending[:]
            directive = match[3] or ""
            if match[1] == "not ok":
                result.state = "fail"
                result.notes = notes
                result.why = notes[0] if notes else "the test failed"
            elif directive.startswith("SKIP"):
                result.state = "skip"
                result.why = directive[4:].strip()
            else:
                result.state = "pass"
            if told:
                told(self, result)
            return

    def _console(self):
        """The kernel's own words."""
        for line in self.text.splitlines():
            line = re.sub(r"^\[ *[\d.]+\]\s*", "", line.rstrip("\r"))
            match = re.search(r"Machine check: (.*)", line)
            if match:
                self.rule = match[1]
            match = re.search(r"Kernel panic - not syncing: (.*)", line)
            if match and not self.panic:
                self.panic = match[1]
            if not self.complaint and COMPLAINT.search(line):
                self.complaint = line

    def _end(self, told):
        """The tests that said nothing get what the guest has to say."""
        why = ENDS.get(self.status, f"the guest ended with status {self.status}")
        if self.status == PANIC:
            why = self.last_words()
        for result in self.results.values():
            if result.state is None:
                result.state = "fail"
                result.why = why
                if told:
                    told(self, result)

    def last_words(self):
        """Why it panicked, in one line."""
        words = "panic"
        if self.panic:
            words += ": " + self.panic
        if self.rule:
            words += " (" + self.rule + ")"
        return words


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def run_all(guests, told=None, done=None, width=2):
    """Run guests, WIDTH at a time, in order."""
    queue = list(guests)
    lock = threading.Lock()
    trouble = []

    def safe(what):
        def call(*args):
            if what:
                with lock:
                    what(*args)
        return call

    def work():
        while not trouble:
            with lock:
                if not queue:
                    return
                guest = queue.pop(0)
            try:
                guest.run(safe(told))
                safe(done)(guest)
            except Exception as err:      # told to the main thread
                trouble.append(err)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(width)]
    try:
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            for t in threads:
                t.join(0.2)
    except BaseException:
        trouble.append(KeyboardInterrupt())
        for guest in guests:
            guest.stop()
        for t in threads:
            t.join(10)
        raise
    if trouble:
        raise trouble[0]


# --- talking --------------------------------------------------------------

TTY = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" \
    and "NO_COLOR" not in os.environ
COLOURS = {"green": "32", "red": "31", "yellow": "33", "dim": "2", "bold": "1"}


def paint(text, colour):
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if TTY and colour else text


def need(*command):
    """Run one of the rig's builders; its stdout is the answer."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    except OSError as err:
        raise Fault(f"{command[0]}: {err.strerror}") from err
    if done.returncode:
        raise Fault(f"{os.path.relpath(command[0], TOP)} failed")
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def given(kernel):
    """A developer's own build of a kernel: MCE_STOCK, MCE_SERIES name directories
    with a bzImage."""
    return os.environ.get("MCE_" + kernel.upper())


def need_kernel(base, kernel):
    if not given(kernel):
        need(os.path.join(RIG, "kernel", "build"), base, kernel)


def need_qemu():
    """The emulator; rig/guest knows the same variable."""
    if not os.environ.get("MCE_QEMU"):
        need(os.path.join(RIG, "qemu", "build"))
