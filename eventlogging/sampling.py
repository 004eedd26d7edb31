"""Whether a unit (a pageview, a session, a device) is in a sample: the same answer everywhere.

The clients hold the same function; all of them agree, id by id.
"""

from __future__ import annotations

LEAST_RATE = 1e-6  # that a sender may state: one event stands for a million then


def in_sample(unit_id: str, rate: float) -> bool:
    """Return whether `unit_id` belongs to a sample of `rate` (0 to 1).

    A sample of a lower rate is part of every sample of a higher one.
    """
    if rate >= 1.0:
        return True
    return _hash32(unit_id.encode("utf-8", "surrogatepass")) < rate * 4_294_967_296


def _hash32(data: bytes) -> int:
    """FNV-1a, finished with MurmurHash3's mixer so that near ids fall far apart."""
    value = 2_166_136_261
    for byte in data:
        value = ((value ^ byte) * 16_777_619) & 0xFFFFFFFF
    value ^= value >> 16
    value = (value * 0x85EBCA6B) & 0xFFFFFFFF
    value ^= value >> 13
    value = (value * 0xC2B2AE35) & 0xFFFFFFFF
    return value ^ (value >> 16)
