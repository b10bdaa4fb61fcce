# SPDX-License-Identifier: Apache-2.0
"""The drivers of this agent: loaded by name, prepared, monitored, and reported with the reason when unusable."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from stratoplane.compute import ImageOps
from stratoplane.driver_kinds import BUILT_IN_KINDS, DriverKinds
from stratoplane.drivers import AgentContext, AvailableImage, Capacity, Driver
from stratoplane.errors import DriverError, MisconfiguredError, PermanentError, SettingsError, UnreachableError
from stratoplane.messages import ProviderReport, ProviderStatus
from stratoplane.registry import Extension, ExtensionState, load_driver, load_driver_kinds
from stratoplane.settings import load
from stratoplane_agent.backoff import Backoff
from stratoplane_agent.bulkhead import Bulkhead
from stratoplane_agent.host import HOST, Host
from stratoplane_agent.listings import CAPACITY, HEALTH, IMAGES, Listings
from stratoplane_agent.log import Log
from stratoplane_agent.measures import capacity_of, images_of
from stratoplane_agent.settings import Configuration
from stratoplane_agent.timer import Timer

AnswerT = TypeVar("AnswerT")
_log: Final = Log("providers")
_LONGEST_RETRY: Final = 60.0
_SUSPICION_SECONDS: Final = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DriverContexts:
    """Makes the context of each driver: the ids for its marks, and a folder below the agent's state folder."""

    installation_id: UUID
    cluster_id: UUID
    state: Path

    def of(self, driver: str) -> AgentContext:
        """Return the context of a driver and create its folder; interfaces with the same driver share it."""
        folder = self.state / "drivers" / driver
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return AgentContext(installation_id=self.installation_id, cluster_id=self.cluster_id, state_folder=folder)


class Provider:
    """The driver of one interface, its threads and its reported state."""

    def __init__(self, report: ProviderReport, driver: Driver | None, bulkhead: Bulkhead, host: Host = HOST) -> None:
        self.driver: Final = driver
        self.bulkhead: Final = bulkhead
        self.interface: Final = report.interface
        self.name: Final = report.driver
        self._lock: Final = host.lock()
        self._report = report
        self._capacity = Capacity()

    @property
    def report(self) -> ProviderReport:
        """The provider's state as it is reported."""
        return self._report

    @property
    def capacity(self) -> Capacity:
        """The capacity that the driver reported last."""
        return self._capacity

    @property
    def obstacle(self) -> DriverError | None:
        """The error that every operation gets while the driver is unusable, None while it is ready."""
        if self._report.status is ProviderStatus.READY:
            return None
        detail = f"the {self.interface} driver {self.name} is not usable: {self._report.reason}"
        return MisconfiguredError(detail) if self._report.status is ProviderStatus.BROKEN else UnreachableError(detail)

    def become(self, status: ProviderStatus, reason: str) -> bool:
        """Take a state over; tell whether the reported one changed."""
        with self._lock:
            before = self._report
            self._report = dataclasses.replace(before, status=status, reason=reason)
            return self._report != before

    def hold(self, capacity: Capacity) -> None:
        """Take over what the driver can hold; it stays valid while the driver cannot tell."""
        self._capacity = capacity

    @property
    def tells_images(self) -> bool:
        """Whether the driver can list its images."""
        return isinstance(self.driver, ImageOps)

    def know(self, images: tuple[AvailableImage, ...] | None) -> bool:
        """Take over which images the driver has; tell whether others are reported from now on."""
        with self._lock:
            before = self._report
            self._report = dataclasses.replace(before, images=images)
            return self._report != before

    def prepared(self) -> tuple[ProviderStatus, str]:
        """Prepare the driver; return the state that it is in then, and why."""
        if self.driver is None:
            return ProviderStatus.BROKEN, self._report.reason
        try:
            self.driver.prepare()
        except PermanentError as error:
            return ProviderStatus.BROKEN, error.detail
        except DriverError as error:
            return ProviderStatus.UNREACHABLE, error.detail
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a driver may raise anything
            _log.bug("driver_bug", error, interface=self.interface, driver=self.name, verb="prepare")
            return ProviderStatus.UNREACHABLE, f"prepare failed unexpectedly: {type(error).__name__}: {error}"
        return ProviderStatus.READY, ""


class Providers:
    """All providers of the agent."""

    def __init__(
        self,
        providers: Iterable[Provider],
        timer: Timer,
        host: Host = HOST,
        *,
        kinds: DriverKinds = BUILT_IN_KINDS,
        listing_seconds: float = 60.0,
    ) -> None:
        """Start with drivers that are not prepared.

        Args:
            providers: one for each interface.
            timer: retries the preparation of unreachable drivers.
            host: supplies time.
            kinds: the kinds of objects that are enabled.
            listing_seconds: after which a listing is given up and tried again.
        """
        self.listings: Final = Listings(listing_seconds, host)
        self.kinds: Final = kinds
        self._host: Final = host
        self._by_interface: Final[Mapping[str, Provider]] = {each.interface: each for each in providers}
        self._timer: Final = timer
        self._backoffs: Final = {
            each: Backoff(base=1.0, cap=_LONGEST_RETRY, generator=host.generator) for each in self._by_interface
        }
        self._changed: Final = host.condition()
        self._suspected_at: Final[dict[str, float]] = {}
        self._preparations = 0
        self.on_change: Callable[[], None] = lambda: None
        """Called from any thread when the state of a provider changed."""
        self.on_late: Callable[[], None] = lambda: None
        """Called from any thread when a listing was given up."""

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._by_interface.values())

    def of(self, interface: str) -> Provider | None:
        """Return the provider of an interface, None if the agent has none."""
        return self._by_interface.get(interface)

    def reports(self) -> tuple[ProviderReport, ...]:
        return tuple(each.report for each in self)

    def capacity(self) -> Capacity:
        """Return what all drivers together can hold: the larger value where two report the same quantity."""
        figures = [each.capacity for each in self]
        return Capacity(
            vcpus=max((each.vcpus for each in figures), default=0),
            memory_mib=max((each.memory_mib for each in figures), default=0),
            storage_gib=max((each.storage_gib for each in figures), default=0),
        )

    def prepare(self, seconds: float) -> None:
        """Prepare all drivers in parallel and wait up to ``seconds``; a slower one continues in the background."""
        for each in self:
            self.prepare_one(each)
        with self._changed:
            self._changed.wait_for(lambda: not self._preparations, seconds)

    def prepare_one(self, provider: Provider) -> None:
        """Prepare a driver on its own threads, unless that is in progress; retry while it is unreachable."""
        if provider.report.status is ProviderStatus.BROKEN:
            return
        attempt = self.listings.begin(provider.interface, HEALTH, spare=provider.bulkhead.has_spare())
        if attempt is None:
            return
        with self._changed:
            self._preparations += 1
        provider.bulkhead.submit(lambda: self._prepare(provider, attempt))
        self._timer.after(self.listings.seconds, lambda: self._give_up_preparation(provider, attempt))

    def ask(self, provider: Provider, name: str, call: Callable[[], AnswerT], use: Callable[[AnswerT], None]) -> None:
        """Make a listing's call on the driver's own threads, unless one is under way; its answer in time is used."""
        attempt = self.listings.begin(provider.interface, name, spare=provider.bulkhead.has_spare())
        if attempt is not None:
            provider.bulkhead.submit(lambda: self._listed(provider, name, attempt, call, use))
            self._timer.after(self.listings.seconds, lambda: self._give_up(provider, name, attempt))

    def measure(self, provider: Provider) -> None:
        """Ask a driver for its capacity and its images; the last answers stay valid if it cannot tell."""
        self.ask(provider, CAPACITY, lambda: capacity_of(provider.driver), provider.hold)
        if provider.tells_images:
            self.ask(provider, IMAGES, lambda: images_of(provider.driver), lambda found: self._know(provider, found))

    def _know(self, provider: Provider, images: tuple[AvailableImage, ...] | None) -> None:
        if provider.know(images):
            self.on_change()

    def suspect(self, provider: Provider) -> None:
        """Prepare a driver again because it reported an unreachable provider; at most once every few seconds."""
        now = self._host.monotonic()
        with self._changed:
            if now - self._suspected_at.get(provider.interface, -_SUSPICION_SECONDS) < _SUSPICION_SECONDS:
                return
            self._suspected_at[provider.interface] = now
        self.prepare_one(provider)

    def _listed(
        self,
        provider: Provider,
        name: str,
        attempt: int,
        call: Callable[[], AnswerT],
        use: Callable[[AnswerT], None],
    ) -> None:
        facts = {"listing": name, "interface": provider.interface, "driver": provider.name}
        error, answers = "", list[AnswerT]()
        try:
            answers.append(call())
        except DriverError as refusal:
            error = refusal.detail or refusal.code
            _log.warning("listing_failed", reason=refusal, **facts)
            if isinstance(refusal, UnreachableError):
                self.suspect(provider)
        except Exception as bug:  # noqa: BLE001  # a driver may raise anything
            error = f"{type(bug).__name__}: {bug}"
            _log.bug("driver_bug", bug, **facts)
        if not self.listings.end(provider.interface, name, attempt, error):
            provider.bulkhead.give_back()
            return
        for answer in answers:
            use(answer)

    def _is_given_up(self, provider: Provider, name: str, attempt: int) -> bool:
        """Leave a call alone that is late, and lend its thread to others; tell whether it was."""
        late = self.listings.give_up(provider.interface, name, attempt)
        if late:
            seconds = self.listings.seconds
            _log.warning("listing_late", listing=name, interface=provider.interface, driver=provider.name, s=seconds)
            provider.bulkhead.lend()
            self.on_late()
        return late

    def _give_up(self, provider: Provider, name: str, attempt: int) -> None:
        if self._is_given_up(provider, name, attempt):
            self.suspect(provider)

    def _give_up_preparation(self, provider: Provider, attempt: int) -> None:
        if self._is_given_up(provider, HEALTH, attempt):
            reason = f"prepare has not answered for {self.listings.seconds:g} s"
            self._become(provider, ProviderStatus.UNREACHABLE, reason)

    def _prepare(self, provider: Provider, attempt: int) -> None:
        try:
            status, reason = provider.prepared()
            if status is ProviderStatus.READY and provider.report.status is not ProviderStatus.READY:
                _measure_first(provider)
            if self.listings.end(provider.interface, HEALTH, attempt, reason):
                self._become(provider, status, reason)
            else:
                provider.bulkhead.give_back()
                self.prepare_one(provider)
        finally:
            with self._changed:
                self._preparations -= 1
                self._changed.notify_all()

    def _become(self, provider: Provider, status: ProviderStatus, reason: str) -> None:
        changed = provider.become(status, reason)
        report, backoff = provider.report, self._backoffs[provider.interface]
        if report.status is ProviderStatus.UNREACHABLE:
            self._timer.after(backoff.delay(), lambda: self.prepare_one(provider))
        else:
            backoff.reset()
        if changed:
            _log_state(report)
            self.on_change()


def _measure_first(provider: Provider) -> None:
    """Ask for capacity and images before the driver is reported as ready.

    Until then the cluster would look full, and seem to have any image.
    """
    facts = {"interface": provider.interface, "driver": provider.name}
    for name, measure in (
        (CAPACITY, lambda: provider.hold(capacity_of(provider.driver))),
        (IMAGES, lambda: provider.know(images_of(provider.driver))),
    ):
        try:
            measure()
        except DriverError as error:
            _log.warning(f"{name}_unknown", reason=error, **facts)
        except Exception as error:  # noqa: BLE001  # a driver may raise anything
            _log.bug("driver_bug", error, verb=name, **facts)


def _log_state(report: ProviderReport) -> None:
    facts = {"interface": report.interface, "driver": report.driver, "version": report.version, "reason": report.reason}
    if report.status is not ProviderStatus.READY:
        _log.error(f"driver_{report.status.value.lower()}", **facts)
    elif report.production_ready:
        _log.info("driver_ready", **facts)
    else:
        _log.warning("driver_ready", **facts, warning="not for production: it must not run real workloads")


def load_providers(configuration: Configuration, contexts: DriverContexts, timer: Timer) -> Providers:
    """Load the drivers that the settings name; a broken one is kept with its reason, the others keep working."""
    chosen = configuration.agent.drivers
    for name in configuration.tables.keys() - set(chosen.values()):
        _log.warning("settings_unused", table=f"[driver.{name}]", reason="no interface uses this driver")
    kinds, broken = _load_kinds(configuration.agent.driver_kinds)
    providers = [
        _load(_find(interface, name, kinds, broken), interface, configuration, contexts)
        for interface, name in chosen.items()
    ]
    return Providers(providers, timer, kinds=kinds, listing_seconds=configuration.agent.listing_seconds)


def _load_kinds(enabled: Sequence[str]) -> tuple[DriverKinds, Sequence[Extension]]:
    """Return the usable kinds, and those that are enabled but broken."""
    kinds, extensions = load_driver_kinds(enabled)
    broken = [each for each in extensions if each.reason]
    for each in broken:
        _log.error("driver_kind_broken", kind=each.name, version=each.version, reason=each.reason)
    return kinds, broken


def _find(interface: str, name: str, kinds: DriverKinds, broken: Sequence[Extension]) -> Extension:
    """Load a driver; if its interface is unknown, name the broken kinds that may define it."""
    extension = load_driver(interface, name, kinds)
    if kinds.contract_of(interface) is not None or not broken:
        return extension
    suspects = "; ".join(f"the kind {each.name} is {each.state}: {each.reason}" for each in broken)
    return dataclasses.replace(extension, reason=f"{extension.reason} ({suspects})")


def _load(extension: Extension, interface: str, configuration: Configuration, contexts: DriverContexts) -> Provider:
    name = extension.name
    report = ProviderReport(
        interface=interface,
        driver=name,
        version=extension.version,
        status=ProviderStatus.BROKEN,
        reason=extension.reason,
    )
    driver = None
    if extension.state is ExtensionState.LOADED:
        made = _make(extension, configuration.tables.get(name, {}), contexts)
        if isinstance(made, str):
            report = dataclasses.replace(report, reason=made)
        else:
            driver, report = made, _described(made, report)
    if report.status is ProviderStatus.BROKEN:
        _log_state(report)
    return Provider(report, driver, Bulkhead(interface, configuration.agent.concurrency))


def _make(extension: Extension, table: Mapping[str, object], contexts: DriverContexts) -> Driver | str:
    """Return the driver, or why it cannot be constructed."""
    try:
        settings = load(extension.loaded.Settings, table, where=f"[driver.{extension.name}]")
        driver: Driver = extension.loaded(settings, contexts.of(extension.name))
    except SettingsError as error:
        return error.detail
    except Exception as error:  # noqa: BLE001  # a driver may raise anything
        _log.bug("driver_bug", error, driver=extension.name, verb="__init__")
        return f"its constructor failed: {type(error).__name__}: {error}"
    return driver


def _described(driver: Driver, report: ProviderReport) -> ProviderReport:
    return dataclasses.replace(
        report,
        contract=".".join(str(number) for number in driver.contract),
        status=ProviderStatus.UNREACHABLE,
        reason="is still initialising",
        features=tuple(sorted(driver.features())),
        production_ready=driver.production_ready,
    )
