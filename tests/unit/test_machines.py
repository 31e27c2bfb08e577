"""The same answers on machines in other zones and with other locales."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# As a program that obeys its locale in everything, decimal points included.
RUN = """
import locale, sys, time
import pytest
locale.setlocale(locale.LC_ALL, "")
found = (time.strftime("%z", time.gmtime(0)), locale.localeconv()["decimal_point"])
assert str(time.timezone) == sys.argv[1], (time.timezone, "the zone is not in force")
assert found[1] == sys.argv[2], (found, "the locale is not in force")
sys.exit(pytest.main(["-q", "-p", "no:xdist", "-p", "no:cacheprovider", *sys.argv[3:]]))
"""
MACHINES = [
    ("Etc/UTC", "0", "C.UTF-8"),
    ("America/New_York", "18000", "de_DE.UTF-8"),
    ("Asia/Kolkata", "-19800", "de_DE.UTF-8"),
]


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile a locale that writes 1,5 for one and a half."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/locales/de_DE").exists():
        pytest.skip("localedef and its sources (package `locales`) are not installed")
    target = str(folder / "de_DE.UTF-8")
    done = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", target], check=False)
    assert done.returncode in (0, 1), "1 is a warning"
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "offset", "locale"), MACHINES)
def test_zone_and_locale_of_the_machine_change_nothing(
    locales: Path, tmp_path: Path, zone: str, offset: str, locale: str
) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "COV"))}
    environment |= {"TZ": zone, "LC_ALL": locale}
    if not locale.startswith("C"):
        environment["LOCPATH"] = str(locales)
    done = subprocess.run(
        [
            *(sys.executable, "-c", RUN, offset, "," if locale.startswith("de") else "."),
            *("tests/unit/test_clock_and_locale.py", f"--basetemp={tmp_path / 'base'}"),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
