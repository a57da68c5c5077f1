"""The threads that copy: one for this emulator's own registries, and one for each other emulator.

A thread is there from the first copy on. What is slow elsewhere holds up nothing here.
"""

import logging
import threading

from ecr_emu.context import Emulator
from ecr_emu.jobs.carriers import Here
from ecr_emu.jobs.courier import FIRST_RETRY_SECONDS, RETRY_SECONDS, Courier, Report
from ecr_emu.store import replications

log = logging.getLogger(__name__)

# The place that is this emulator.
HERE = ""


class Couriers:
    """Everything that copies for one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._endpoints = dict(emulator.settings.region_endpoint)
        self._here = Courier(emulator, Here(emulator), lambda regions: regions - set(self._endpoints))
        self._threads: dict[str, CourierThread] = {}
        self._is_stopped = False

    def notice(self) -> None:
        """Let the threads look for work, if there is any."""
        with self._emulator.store.read() as connection:
            regions = replications.waiting_regions(connection)
        for place in {region if region in self._endpoints else HERE for region in regions}:
            if not self._is_stopped:
                self._thread(place).wake.set()

    def run_here(self) -> list[Report]:
        """Make the copies between this emulator's own registries before returning."""
        return self._here.run()

    def stop(self) -> None:
        """Start no other copy, and wait for those that are being made."""
        self._is_stopped = True
        threads = list(self._threads.values())
        for thread in threads:
            thread.stop()
        for thread in threads:
            thread.join()

    def _thread(self, place: str) -> "CourierThread":
        if place not in self._threads:
            self._threads[place] = CourierThread(place, self._courier(place))
            self._threads[place].start()
        return self._threads[place]

    def _courier(self, place: str) -> Courier:
        if place == HERE:
            return self._here
        from ecr_emu.jobs.peers import Peer

        peer = Peer(self._emulator, place, self._endpoints[place])
        return Courier(self._emulator, peer, lambda regions: regions & {place})


class CourierThread(threading.Thread):
    """Lets a courier run whenever it is woken, and when something is to be tried again."""

    def __init__(self, place: str, courier: Courier) -> None:
        super().__init__(name=f"copies {place}".strip(), daemon=True)
        self.wake = threading.Event()
        self._courier = courier
        self._failures = 0

    def run(self) -> None:
        seconds: float | None = None
        while not self._courier.stopping.is_set():
            self.wake.wait(seconds)
            self.wake.clear()
            try:
                if not self._courier.stopping.is_set():
                    self._courier.run()
                seconds, self._failures = self._courier.seconds_to_wait(), 0
            except Exception:
                # A full disk, say. The copies still wait.
                log.exception("replication failed")
                seconds = min(FIRST_RETRY_SECONDS * 2**self._failures, RETRY_SECONDS)
                self._failures += 1

    def stop(self) -> None:
        self._courier.stop()
        self.wake.set()
