# SPDX-License-Identifier: ISC
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from suite import Suite, build_folder, can_trace  # noqa: E402


def shared_folder():
    """Test data beside the checkout, None where it is not."""
    here = os.path.dirname(os.path.abspath(__file__))
    top = os.path.dirname(os.path.dirname(here))
    for folder in (os.environ.get("POSTRIDER_SHARED"),
                   os.path.join(os.path.dirname(top), "shared")):
        if folder and os.path.isdir(folder):
            return folder
    return None


@pytest.fixture
def shared():
    folder = shared_folder()
    if not folder:
        pytest.skip("no test data: set POSTRIDER_SHARED")
    return folder


@pytest.fixture(scope="session")
def build():
    return build_folder()


@pytest.fixture
def make_suite(request):
    """make_suite(...) makes a Suite that is not started; all of them are
    ended with the test."""
    made = []

    def make(**options):
        made.append(Suite(**options))
        return made[-1]
    yield make
    report = getattr(request.node, "report_call", None)
    failed = report is None or report.failed
    errors = []
    for suite in reversed(made):
        if failed:
            suite.keep_log()
        try:
            suite.close()
        except AssertionError as error:
            errors.append(error)
    if errors and not failed:
        raise errors[0]


@pytest.fixture
def suite(make_suite):
    """A started suite with the user ann@example.test."""
    return make_suite(users=["ann@example.test"]).start()


@pytest.fixture(params=["root", "user"])
def either(request, make_suite):
    """The same, once with the accounts and chroots, once as an ordinary
    user; root's turn is skipped where we are not root."""
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("needs root")
    return make_suite(root=request.param == "root",
                      users=["ann@example.test"]).start()


@pytest.fixture
def as_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def tool():
    """tool("swaks") is the path of a program of the system; the test is
    skipped where it is not installed."""
    def find(name):
        found = shutil.which(
            name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if not found:
            pytest.skip(f"{name} is not installed")
        return found
    return find


def may_not_look(error):
    """Root in a container often may not read our processes' /proc."""
    return (isinstance(error, PermissionError) and os.geteuid() == 0
            and str(error.filename).startswith("/proc/") and not can_trace())


_report = []


@pytest.fixture
def report():
    """report(line): say something in the summary, also of a test that
    passes."""
    return _report.append


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and may_not_look(call.excinfo.value):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] + 1,
                           "without CAP_SYS_PTRACE no look into processes")
    if report.when == "call":
        item.report_call = report


def pytest_terminal_summary(terminalreporter):
    """What was reported, and the counts where tests/run adds them up."""
    for line in _report:
        terminalreporter.write_line(line)
    path = os.environ.get("POSTRIDER_TEST_COUNTS")
    if not path:
        return
    stats = terminalreporter.stats

    def count(*names):
        return sum(len(stats.get(name, ())) for name in names)
    with open(path, "w") as f:
        f.write(f"{count('passed', 'xpassed')} {count('failed', 'error')} "
                f"{count('skipped', 'xfailed', 'deselected')}\n")
