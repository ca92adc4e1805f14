"""Git LFS: git has a few lines in the place of a file, and the file is somewhere else.

A checkout shows the file, so nobody sees the difference there; the server reads what git has, and phones would get it.
"""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How such lines begin."""
IS_LFS_POINTER = (
    "is a pointer of Git LFS: phones would get that, not the file that a checkout shows",
    "take its pattern out of .gitattributes (git lfs untrack), then git add --renormalize, and commit",
)
"""Message and hint."""
