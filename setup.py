"""Build the native core, all of it or none of it."""

import os
import sys
from pathlib import Path
from textwrap import shorten

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# What Cython compiles. A .py is the same source in both modes (its .pxd adds types); a .pyx has a Python twin.
COMPILED = [
    "kairos/_speedups/allocator.pyx",
    "kairos/_speedups/buckets.py",
    "kairos/_speedups/cells.pyx",
    "kairos/_speedups/clock.pyx",
    "kairos/_speedups/guarded.pyx",
    "kairos/_speedups/head.pyx",
    "kairos/_speedups/ids.pyx",
    "kairos/_speedups/marks.pyx",
    "kairos/_speedups/matcher.py",
    "kairos/_speedups/path.pyx",
    "kairos/_speedups/rendezvous.pyx",
    "kairos/_speedups/selection.py",
    "kairos/_speedups/siphash.pyx",
    "kairos/_speedups/sockets.pyx",
    "kairos/_speedups/ssl_handles.pyx",
    "kairos/balancing/algorithms.py",
    "kairos/balancing/costs.py",
    "kairos/balancing/hashing.py",
    "kairos/balancing/keys.py",
    "kairos/balancing/latency.py",
    "kairos/balancing/sticky.py",
    "kairos/protocols/http1/cookies.py",
    "kairos/protocols/http1/fields.py",
    "kairos/protocols/http1/forwarded.py",
    "kairos/protocols/http1/head.py",
    "kairos/protocols/http1/serialize.py",
    "kairos/protocols/websocket/frames.py",
    "kairos/proxy/admission.py",
    "kairos/proxy/answer.py",
    "kairos/proxy/attempts.py",
    "kairos/proxy/body.py",
    "kairos/proxy/caching/route.py",
    "kairos/proxy/client.py",
    "kairos/proxy/downstream.py",
    "kairos/proxy/end.py",
    "kairos/proxy/exchange.py",
    "kairos/proxy/generation.py",
    "kairos/proxy/handshakes.py",
    "kairos/proxy/identities.py",
    "kairos/proxy/listener.py",
    "kairos/proxy/listener_options.py",
    "kairos/proxy/openssl.py",
    "kairos/proxy/plane.py",
    "kairos/proxy/poller.py",
    "kairos/proxy/pool.py",
    "kairos/proxy/progress.py",
    "kairos/proxy/reuse.py",
    "kairos/proxy/target.py",
    "kairos/proxy/ticker.py",
    "kairos/proxy/tls_transport.py",
    "kairos/proxy/tunnel.py",
    "kairos/proxy/upstream.py",
    "kairos/proxy/writer.py",
    "kairos/resilience/breaker.py",
    "kairos/resilience/ejection.py",
    "kairos/security/peers.py",
    "kairos/traffic/caching/answers.py",
    "kairos/traffic/caching/keys.py",
    "kairos/traffic/rate_limit.py",
]


def is_set(name: str) -> bool:
    """Say whether the environment variable `name` is switched on."""
    return os.environ.get(name, "") not in ("", "0")


PURE_PYTHON = is_set("KAIROS_PURE_PYTHON")
REQUIRE_SPEEDUPS = is_set("KAIROS_REQUIRE_SPEEDUPS")
TRACE = is_set("KAIROS_CYTHON_TRACE")


def module_name(source: str) -> str:
    """Turn a path into the name of the module that it makes."""
    return source.rsplit(".", 1)[0].replace("/", ".")


class AllOrNothing(build_ext):
    """Compile every extension; if one fails, say why and install pure Python: compiled modules cimport each other."""

    def finalize_options(self) -> None:
        """Compile as many files at a time as there are processors."""
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()

    def run(self) -> None:
        """Build, or fall back."""
        inplace = self.inplace
        try:
            self.cythonize()
            super().run()
        except (Exception, SystemExit) as exc:
            if REQUIRE_SPEEDUPS:
                raise
            reason = shorten(str(exc), 200)
            print(f"*** kairos: installing pure Python, because: {reason}", file=sys.stderr)
            self.inplace = inplace  # setuptools changes it while it builds
            self.remove_built_files()
            self.extensions.clear()
            self.note.parent.mkdir(parents=True, exist_ok=True)
            self.note.write_text(f"{reason}\n", encoding="utf-8")
        else:
            self.note.unlink(missing_ok=True)

    @property
    def note(self) -> Path:
        """The file in which `kairos version` finds the reason: pip shows nothing of what a build prints."""
        return Path(self.get_ext_fullpath("kairos._speedups.any")).with_name("why_pure.txt")

    def cythonize(self) -> None:
        """Translate the sources to C. Not at import time: a missing Cython must not be fatal."""
        from Cython.Build import cythonize

        self.extensions[:] = cythonize(
            self.extensions,
            language_level=3,
            build_dir=None if TRACE else "build/cython",
            nthreads=os.cpu_count() or 1,
            compiler_directives={"linetrace": TRACE, "annotation_typing": False},  # types come from the .pxd files
        )
        for extension in self.extensions:
            extension._needs_stub = False  # noqa: SLF001 (setuptools sets it before these existed)

    def remove_built_files(self) -> None:
        """Delete what was built before the failure, in place and in the build folder."""
        for extension in self.extensions:
            Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
            Path(self.build_lib, self.get_ext_filename(extension.name)).unlink(missing_ok=True)


def extension(source: str) -> Extension:
    """Describe the extension that `source` becomes."""
    macros = [("CYTHON_TRACE", "1")] if TRACE else []
    return Extension(module_name(source), [source], extra_compile_args=["-O3"], define_macros=macros)


setup(
    ext_modules=[] if PURE_PYTHON else [extension(source) for source in COMPILED],
    cmdclass={"build_ext": AllOrNothing},
)
