"""Realistic payloads for the schemas of the starter set: page views, accounts, dialogs, studies.

Each maker yields payloads without end, from a random generator and a clock
(milliseconds since the epoch); only times depend on the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

Payload = dict[str, Any]
Maker = Callable[[Random, Callable[[], int]], Iterator[Payload]]

_COUNTRIES = ("US", "DE", "IN", "GB", "FR", "JP", "BR", "NL", "ES", "IT", "??")
_ACTIONS = ("view", "edit", "history", "submit", "info", "other")
_BROWSERS = (("Firefox", "40"), ("Firefox", "41"), ("Chrome", "45"), ("Safari", "9"))
_SYSTEMS = ("Windows 7", "Windows 10", "Mac OS X", "Linux", "Android", "iOS")
_SCREENS = ((1920, 1080), (1366, 768), (1280, 800), (640, 480), (375, 667))
_STATUSES = {
    "runner": ("SUCCESS", "NETWORK_ERROR", "SERVER_ERROR", "INVALID_SIGNATURE"),
    "action": ("SUCCESS", "PRE_EXECUTION_ERROR", "NETWORK_ERROR", "POST_EXECUTION_ERROR"),
    "recipe": ("SUCCESS", "ACTION_DISABLED", "EXECUTION_ERROR", "INVALID_ACTION"),
}
_RUNNABLE = ("show-heartbeat", "preference-experiment", "opt-out-study", "console-log")
_WHY_LEFT_PREFERENCE = (
    "recipe-not-seen", "user-preference-changed", "user-preference-changed-sideload", "unknown",
)  # fmt: skip
_WHY_LEFT_ADDON = (
    "recipe-not-seen", "uninstalled", "individual-opt-out", "general-opt-out",
    "uninstalled-sideload", "install-failure", "unknown",
)  # fmt: skip
# What one interaction with an account consists of, and how often it occurs.
_INTERACTIONS = (
    (60, ("account.signed",)),
    (20, ("sequence.begin", "account.login", "device.created", "device.connected")),
    (8, ("sequence.begin", "account.created", "device.created", "account.verified",
         "device.connected")),
    (6, ("sequence.begin",)),
    (4, ("device.disconnected", "device.deleted")),
    (1, ("sequence.begin", "account.reset", "account.login")),
    (1, ("account.deleted",)),
)  # fmt: skip
_ANONYMOUS = frozenset({"sequence.begin"})
_WITHOUT_DEVICE = frozenset({"account.created", "account.reset", "account.deleted"})


def zipf(random: Random, items: Any) -> Any:
    """Return one of the items: the first most often, the n-th a n-th as often."""
    return random.choices(items, [1 / rank for rank in range(1, len(items) + 1)])[0]


def navigation_timing(random: Random, _: Callable[[], int]) -> Iterator[Payload]:
    """Page views: most fast, some very slow; marks of time never run backwards."""
    while True:
        signed_in = random.random() < 0.15
        event: Payload = {
            "pageId": random.randint(1, 40_000_000),
            "revId": random.randint(1, 900_000_000),
            "isAnon": not signed_in,
            "isHttps": random.random() < 0.97,
            "isHiDPI": random.random() < 0.4,
            "namespaceId": zipf(random, (0, 1, -1, 4, 10, 14)),
            "action": zipf(random, _ACTIONS),
            "mediaWikiVersion": f"1.24wmf{random.randint(4, 6)}",
            "originCountry": zipf(random, _COUNTRIES),
        }
        if signed_in:
            event["userId"] = int(random.paretovariate(0.7)) % 4_000_000
        if random.random() < 0.45:
            event["mobileMode"] = zipf(random, ("stable", "beta", "alpha"))
        event.update(_marks(random, redirected=random.random() < 0.08))
        yield event


def _marks(random: Random, *, redirected: bool) -> Payload:
    marks: Payload = {"redirectCount": 0}
    at = 0

    def after(median: float, spread: float = 0.6) -> int:
        nonlocal at
        at = min(at + int(median * random.lognormvariate(0, spread)), 3_500_000)
        return at

    if redirected:
        marks |= {"redirectCount": random.randint(1, 3), "redirecting": after(120)}
    marks["fetchStart"] = after(3)
    marks["dnsLookup"] = int(15 * random.lognormvariate(0, 1))
    for name, median in (
        ("connectStart", 12), ("secureConnectionStart", 15), ("connectEnd", 40),
        ("requestStart", 1), ("responseStart", 110), ("responseEnd", 45),
    ):  # fmt: skip
        marks[name] = after(median)
    marks["mediaWikiLoadStart"] = after(60)
    if random.random() < 0.8:
        marks["firstPaint"] = after(150)
    for name, median in (
        ("domInteractive", 250), ("mediaWikiLoadComplete", 200), ("domComplete", 400),
        ("loadEventStart", 2), ("loadEventEnd", 15),
    ):  # fmt: skip
        marks[name] = after(median, 0.8)
    return marks


def account_creation(random: Random, _: Callable[[], int]) -> Iterator[Payload]:
    """New accounts: most made by the person in a browser, some through the API."""
    number = random.randint(20_000_000, 30_000_000)
    while True:
        number += random.randint(1, 9)
        api = random.random() < 0.2
        own = random.random() < 0.95
        event: Payload = {
            "userId": number,
            "isSelfMade": own,
            "isApi": api,
            "displayMobile": not api and random.random() < 0.4,
        }
        if own and not api:
            event["token"] = f"{random.getrandbits(128):032x}"
            event["userName"] = f"Newcomer {number % 10_000}"
            if random.random() < 0.3:
                event["campaign"] = zipf(random, ("loginCTA", "editCTA", "ACP1"))
            if random.random() < 0.6:
                event["returnTo"] = zipf(random, ("Main Page", "Special:Search", "Help:Contents"))
            if random.random() < 0.1:
                event["userBuckets"] = '{"signup":"control"}'
        yield event


def account_activity(random: Random, now: Callable[[], int]) -> Iterator[Payload]:
    """What some hundred users with one to three devices do: events of one interaction in order."""
    users = [
        (_hex(random), [_hex(random) for _ in range(zipf(random, (1, 2, 3)))]) for _ in range(400)
    ]
    weights = [weight for weight, _ in _INTERACTIONS]
    while True:
        user, devices = zipf(random, users)
        _, steps = random.choices(_INTERACTIONS, weights)[0]
        browser, version = zipf(random, _BROWSERS)
        common: Payload = {
            "seqId": _hex(random),
            "newUser": "account.created" in steps,
            "userAgentBrowser": browser,
            "userAgentVersion": version,
            "userAgentOS": zipf(random, _SYSTEMS),
            "service": zipf(random, ("sync", "amo", None)),
            "context": zipf(random, ("fx_desktop_v2", "fx_ios_v1", "web")),
            "entrypoint": zipf(random, ("menupanel", "firstrun", "preferences", None)),
            "campaign": zipf(random, (None, "fall-sync")),
            "migration": zipf(random, (None, "sync11", "amo")),
        }
        device = random.choice(devices)
        offsets = [0]
        for _ in steps[1:]:
            offsets.append(offsets[-1] + int(1800 * random.lognormvariate(0, 0.9)))
        begun = now() - offsets[-1]
        for step, elapsed in zip(steps, offsets, strict=True):
            yield {
                "timestamp": begun + elapsed,
                "seqTime": elapsed,
                "type": step,
                "uid": None if step in _ANONYMOUS else user,
                "deviceId": None if step in _ANONYMOUS | _WITHOUT_DEVICE else device,
                **common,
            }


def _hex(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"


def dialog_interaction(random: Random, now: Callable[[], int]) -> Iterator[Payload]:
    """Uses of the sign-in dialog: what was clicked, after how many milliseconds."""
    while True:
        width, height = zipf(random, _SCREENS)
        browser, version = zipf(random, _BROWSERS)
        yield {
            "timestamp": now() // 600_000 * 600_000,
            "event_stream": _clicks(random),
            "email_type": zipf(random, ("secondary", "primary")),
            "number_emails": zipf(random, (1, 2, 3, 4)),
            "new_account": random.random() < 0.2,
            "language": zipf(random, ("en_US", "de", "fr", "pt_BR", "ja")),
            "number_sites_logged_in": zipf(random, (0, 1, 2, 3)),
            "screen_size": {"width": width, "height": height},
            "sample_rate": 1,
            "user_agent": {"os": zipf(random, _SYSTEMS), "browser": browser, "version": version},
        }


def _clicks(random: Random) -> list[list[Any]]:
    stream: list[list[Any]] = []
    at = 0
    for name, chance in (
        ("picker", 1.0), ("picker::change", 0.4), ("picker::add", 0.15), ("picker::signin", 0.75),
    ):  # fmt: skip
        at += int(900 * random.lognormvariate(0, 0.6))
        if random.random() < chance:
            stream.append([name, at])
    return stream


def recipe_uptake(random: Random, _: Callable[[], int]) -> Iterator[Payload]:
    """How the runner, actions and recipes ended: nearly always well."""
    while True:
        source = zipf(random, ("recipe", "runner", "action"))
        good, *bad = _STATUSES[source]
        status = good if random.random() < 0.94 else zipf(random, bad)
        rest = {
            "runner": "",
            "action": f"/{zipf(random, _RUNNABLE)}",
            "recipe": f"/{zipf(random, range(301, 340))}",
        }[source]
        yield {"source": f"normandy/{source}{rest}", "status": f"{source.upper()}_{status}"}


def study_enrollment(random: Random, _: Callable[[], int]) -> Iterator[Payload]:
    """Browsers that join and leave two kinds of studies."""
    while True:
        kind = zipf(random, ("preference_study", "addon_study"))
        method = zipf(random, ("enroll", "unenroll"))
        number = zipf(random, range(1, 6))
        if kind == "preference_study":
            extra: Payload = {
                "branch": random.choice(("control", "experiment")),
                "experimentType": zipf(random, ("exp", "exp-highpop")),
            }
            if method == "unenroll":
                reason = zipf(random, _WHY_LEFT_PREFERENCE)
                extra = {"didResetValue": str(random.random() < 0.7).lower(), "reason": reason}
        elif random.random() < 0.04:
            method, extra = "enrollFailed", {"reason": "AddonStudies.jsm:212 NetworkError"}
        else:
            addon = f"feature-study-{number}@shield.example.org"
            extra = {"addonId": addon, "addonVersion": f"1.{number}.{zipf(random, (3, 2, 1))}"}
            if method == "unenroll":
                extra["reason"] = zipf(random, _WHY_LEFT_ADDON)
        value = f"{kind.removesuffix('_study')}-study-{number}"
        yield {"method": method, "object": kind, "value": value, "extra": extra}


MAKERS: Mapping[str, Maker] = {
    "NavigationTiming": navigation_timing,
    "RecipeUptake": recipe_uptake,
    "AccountActivity": account_activity,
    "DialogInteraction": dialog_interaction,
    "StudyEnrollment": study_enrollment,
    "ServerSideAccountCreation": account_creation,
}
