# Loaded by Python at its start when gpm watches what an app imports. It writes the file of each module that is executed,
# a path a line, to the file named by GPM_IMPORTS, and is silent otherwise. It steps aside for a sitecustomize of the
# environment's own.
import os
import sys


def _note_imports(path):
    seen = set()
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def heard(event, args):
        if event != "exec":
            return
        name = getattr(args[0], "co_filename", "")
        if name in seen or not name.endswith(".py"):
            return
        seen.add(name)
        try:
            os.write(out, (os.path.abspath(name) + "\n").encode("utf-8", "surrogateescape"))
        except OSError:
            pass

    sys.addaudithook(heard)


def _step_aside():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if os.path.abspath(p) != here]
    sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError:
        pass


try:
    if os.environ.get("GPM_IMPORTS") and hasattr(sys, "addaudithook"):
        _note_imports(os.environ["GPM_IMPORTS"])
except OSError:
    pass
_step_aside()
