# SPDX-License-Identifier: Apache-2.0
"""What a driver says of its cluster when it is asked: how much it can hold, and which images it has."""

import itertools

from stratoplane.compute import ImageOps
from stratoplane.driver_kinds import WrongAnswerError
from stratoplane.drivers import MOST_IMAGES, AvailableImage, Capacity, Driver


def capacity_of(driver: Driver | None) -> Capacity:
    """Ask a driver for its capacity. Raises what the driver raises, and WrongAnswerError."""
    answer: object = driver.capacity() if driver else Capacity()
    if not isinstance(answer, Capacity):
        raise WrongAnswerError(f"capacity returned {type(answer).__name__}, not Capacity")
    return answer


def images_of(driver: object) -> tuple[AvailableImage, ...] | None:
    """Ask a driver for its images; None if it does not tell, or has more than may be told.

    Raises what the driver raises, and WrongAnswerError.
    """
    answer = driver.list_images(MOST_IMAGES + 1) if isinstance(driver, ImageOps) else None
    if answer is None:
        return None
    found = tuple(itertools.islice(answer, MOST_IMAGES + 1))
    kinds: set[type[object]] = {type(each) for each in found}
    if wrong := kinds - {AvailableImage}:
        raise WrongAnswerError(f"list_images returned {wrong.pop().__name__}, not AvailableImage")
    return found if len(found) <= MOST_IMAGES else None
