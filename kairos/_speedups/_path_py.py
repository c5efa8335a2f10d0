"""The pure Python twin of `path.pyx`."""

import re

# A segment that a backend may read as "." or ".." is not normal; some cut a segment at ";" first. An escape is normal
# if it is upper case and stands for neither NUL nor an unreserved character (RFC 3986 section 6.2.2).
_NORMAL = re.compile(
    rb"""
    (?P<path>
      (?: / (?! / ) (?! \.\.? (?: [/;?] | \Z ) )
          (?: [A-Za-z0-9._~!$&'()*+,;=:@-]
            | % (?! 00 | 2[DE] | 3[0-9] | [46][1-9A-F] | [57][0-9A] | 5F | 7E ) [0-9A-F]{2}
          )*+
      )++
    )
    (?: \? [!"$-~]*+ )?
    """,
    re.VERBOSE,
)


def normal_path(target: bytes) -> bytes | None:
    """Return the path of a request target that is in normal form already, without its query; None if it is not."""
    found = _NORMAL.fullmatch(target)
    return found["path"] if found is not None else None
