"""Programs of Debian that play peers: the installed ones, else those that Scripts/test unpacked under .build-tools."""

import os
import shutil
from pathlib import Path

_UNPACKED = Path(__file__).resolve().parents[3] / ".build-tools"


class Program:
    """Where a program is, what belongs to it, and the environment it runs in."""

    def __init__(self, name, package):
        self.root = Path("/")
        installed = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
        if installed:
            self.path = Path(installed)
            return
        self.root = _UNPACKED
        for folder in ("usr/bin", "usr/sbin"):
            self.path = self.root / folder / name
            if os.access(self.path, os.X_OK):
                return
        raise AssertionError(f"{name} is missing; Scripts/test unpacks Debian's package {package}")

    def folder(self, pattern):
        """The folder of the program's package that matches the pattern below the root of the file system."""
        found = sorted(self.root.glob(pattern))
        if not found:
            raise AssertionError(f"no {pattern} beside {self.path}")
        return found[0]

    def environment(self, **more):
        """The variables it runs with; nothing of the user's own settings is read or written."""
        variables = {**os.environ, **more}
        if self.root == _UNPACKED:
            libraries = [*self.root.glob("usr/lib/*-linux-gnu"), *self.root.glob("lib/*-linux-gnu")]
            libraries += [inner for folder in libraries for inner in (folder / "kamailio", folder / "pulseaudio") if inner.is_dir()]
            variables["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
        return variables
