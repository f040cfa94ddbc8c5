"""What came out, for people and for programs: facts as data, and the same facts as text."""

from __future__ import annotations
