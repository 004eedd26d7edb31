"""Whether a unit (a pageview, a session, a device) is in a sample: the same answer everywhere."""

from __future__ import annotations


def in_sample(unit_id: str, rate: float) -> bool:
    """Whether `unit_id` belongs to a sample of `rate` (0 to 1)."""
    if rate >= 1:
        return True
    # FNV-1a over UTF-8, finished with MurmurHash3's mixer so that near ids fall far apart.
    value = 2_166_136_261
    for byte in unit_id.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * 16_777_619) & 0xFFFFFFFF
    value ^= value >> 16
    value = (value * 0x85EBCA6B) & 0xFFFFFFFF
    value ^= value >> 13
    value = (value * 0xC2B2AE35) & 0xFFFFFFFF
    return (value ^ (value >> 16)) < rate * 4_294_967_296
