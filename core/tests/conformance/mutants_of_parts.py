# SPDX-License-Identifier: Apache-2.0
"""More mutants: power, addresses, volumes, abilities, networks, storage, buckets."""

from dataclasses import replace
from uuid import uuid4

from mutants import caught_by
from reference import Entry, ReferenceCompute, ReferenceNetwork, ReferenceStorage

from stratoplane.compute import MachineAddress
from stratoplane.drivers import AvailableImage
from stratoplane.errors import NotFoundError, PermanentError
from stratoplane.jobs import Wait
from stratoplane.network import NetworkMode
from stratoplane.resources import PowerState

# --- machines -----------------------------------------------------------------------------------------------------


@caught_by("a_machine_is_made_stopped_if_it_should_be")
class AlwaysRuns(ReferenceCompute):
    def create(self, spec):
        return super().create(replace(spec, power=PowerState.RUNNING))


@caught_by("a_machine_stops_and_runs_again")
class NeverStops(ReferenceCompute):
    def update(self, spec):
        return super().update(replace(spec, power=PowerState.RUNNING))


@caught_by("a_machine_that_no_cluster_can_hold_is_refused", "a_machine_without_its_image_is_refused")
class RefusesNothing(ReferenceCompute):
    def check(self, spec) -> None:
        return


@caught_by("a_machine_without_its_image_is_refused")
class RefusesVaguely(ReferenceCompute):
    def check(self, spec) -> None:
        try:
            super().check(spec)
        except NotFoundError as error:
            raise PermanentError("it did not work") from error


@caught_by("an_image_that_can_be_used_is_listed")
class ForgetsAnImage(ReferenceCompute):
    def list_images(self, limit):
        return [each for each in super().list_images(limit) if each.source != "present.qcow2"]


@caught_by("an_image_that_is_missing_is_not_listed")
class ListsWhatIsMissing(ReferenceCompute):
    def list_images(self, limit):
        return [*super().list_images(limit), AvailableImage(source="absent.qcow2")][:limit]


@caught_by("images_are_listed_up_to_a_limit_and_each_says_what_it_is")
class ListsImagesWithoutEnd(ReferenceCompute):
    def list_images(self, limit):
        return super().list_images(500)


@caught_by("images_are_listed_up_to_a_limit_and_each_says_what_it_is")
class ListsOneImageTwice(ReferenceCompute):
    def list_images(self, limit):
        return [*super().list_images(limit), *super().list_images(limit)][:limit]


@caught_by("a_running_machine_has_its_address")
class GivesNoAddress(ReferenceCompute):
    def addresses(self, spec):
        return ()


@caught_by("a_running_machine_has_its_address")
class GivesTheGateway(ReferenceCompute):
    def free(self, network_uid):
        return self.look().kind("network")[network_uid].spec.gateway


@caught_by("machines_made_at_once_have_different_addresses")
class GivesOneAddressToAll(ReferenceCompute):
    def free(self, network_uid):
        return self.look().kind("network")[network_uid].spec.cidr.replace(".0/24", ".77")


@caught_by("an_address_outlives_a_stop")
class ForgetsTheAddress(ReferenceCompute):
    def update(self, spec):
        entry = self.required(spec.uid)
        [old] = entry.status.addresses
        entry.status = replace(entry.status, addresses=())
        again = super().update(spec)
        entry.status = replace(
            again, addresses=(MachineAddress(network_uid=old.network_uid, mac=old.mac, address=f"{old.address}0"),)
        )
        return entry.status


@caught_by("creating_again_keeps_the_address")
class GivesANewAddressEachTime(ReferenceCompute):
    def create(self, spec):
        if entry := self.entry(spec.uid):
            kept = entry.status.addresses
            entry.status = replace(entry.status, addresses=(replace(kept[0], address=f"{kept[0].address}0"),))
        return super().create(spec)


@caught_by("an_unknown_network_is_refused_and_nothing_is_left", "an_unknown_volume_is_refused_and_nothing_is_left")
class LeavesWhatItRefused(ReferenceCompute):
    def check(self, spec) -> None:
        try:
            super().check(spec)
        except NotFoundError:
            self.look().kind(self.kind)[spec.uid] = Entry(
                installation=self.context.installation_id, spec=spec, status=self.first(spec)
            )
            raise


@caught_by("a_machine_is_made_with_its_volume", "a_volume_is_attached_and_detached")
class ForgetsVolumes(ReferenceCompute):
    def converge(self, entry, spec) -> None:
        super().converge(entry, replace(spec, volume_uids=()))


@caught_by("a_second_machine_does_not_get_it")
class SharesVolumes(ReferenceCompute):
    def check_volumes(self, spec) -> None:
        return


@caught_by("a_volume_outlives_its_machine")
class TakesTheVolumeAlong(ReferenceCompute):
    def delete(self, uid) -> None:
        if entry := self.entry(uid):
            for volume in entry.status.volume_uids:
                del self.look().kind("volume")[volume]
        super().delete(uid)


@caught_by("a_network_in_use_cannot_be_deleted")
class DeletesNetworksInUse(ReferenceNetwork):
    def check_unused(self, uid) -> None:
        return


@caught_by("a_volume_in_use_cannot_be_deleted")
class DeletesVolumesInUse(ReferenceStorage):
    def check_unused(self, uid) -> None:
        return


# --- abilities ----------------------------------------------------------------------------------------------------


@caught_by("a_restarted_machine_is_the_same_and_runs")
class StopsInsteadOfRestarting(ReferenceCompute):
    def reboot(self, uid) -> None:
        entry = self.required(uid)
        entry.status = replace(entry.status, power=PowerState.STOPPED)


@caught_by("a_stopped_machine_is_not_restarted", "what_never_was_cannot_be_restarted")
class RestartsAnything(ReferenceCompute):
    def reboot(self, uid) -> None:
        return


@caught_by("a_machine_is_resized_as_often_as_called", "a_stopped_machine_is_resized_and_stays_stopped")
class ResizesNothing(ReferenceCompute):
    def resize(self, spec):
        return self.required(spec.uid).status


@caught_by("a_machine_is_made_smaller_again")
class OnlyGrows(ReferenceCompute):
    def resize(self, spec):
        present = self.required(spec.uid).status
        return super().resize(replace(spec, vcpus=max(spec.vcpus, present.vcpus)))


@caught_by("a_stopped_machine_is_resized_and_stays_stopped")
class StartsWhatItResized(ReferenceCompute):
    def resize(self, spec):
        super().resize(spec)
        return self.update(replace(spec, power=PowerState.RUNNING))


@caught_by("a_running_machine_runs_while_it_is_resized")
class StopsForIt(ReferenceCompute):
    def resize(self, spec):
        present = self.required(spec.uid)
        if present.status.power is PowerState.RUNNING and present.status.vcpus != spec.vcpus:
            self.update(replace(present.spec, power=PowerState.STOPPED))
            return Wait(seconds=0.01, reason="the guest shuts down")
        super().resize(spec)
        return self.update(spec) if present.status.power is PowerState.STOPPED else present.status


@caught_by("what_never_was_cannot_be_resized")
class MakesWhatItShouldResize(ReferenceCompute):
    def resize(self, spec):
        self.create(spec)
        return super().resize(spec)


@caught_by("a_machine_has_a_console")
class WritesTooMuch(ReferenceCompute):
    def console_log(self, uid) -> str:
        return super().console_log(uid) * 64 * 1024


@caught_by("what_never_was_has_no_console")
class WritesForAnybody(ReferenceCompute):
    def console_log(self, uid) -> str:
        return ""


# --- networks, volumes, buckets -----------------------------------------------------------------------------------


@caught_by("every_mode_is_made[ISOLATED]", suite="network")
class KnowsOneMode(ReferenceNetwork):
    def first(self, spec):
        return replace(super().first(spec), mode=NetworkMode.NAT)


@caught_by("an_update_does_not_change_the_range", suite="network")
class MovesNetworks(ReferenceNetwork):
    def update(self, spec):
        entry = self.required(spec.uid)
        entry.status = replace(entry.status, cidr=spec.cidr, gateway=spec.gateway)
        return entry.status


@caught_by("a_new_network_is_active", "what_was_created_is_observed_as_it_should_be", suite="network")
class LeavesNetworksOff(ReferenceNetwork):
    def create(self, spec):
        return replace(super().create(spec), active=False)


@caught_by("a_volume_does_not_shrink", suite="storage")
class Shrinks(ReferenceStorage):
    def check_update(self, present, spec) -> None:
        return


@caught_by("an_update_leaves_no_drift", suite="storage")
class DoesNotGrow(ReferenceStorage):
    def update(self, spec):
        return self.required(spec.uid).status


@caught_by("a_volume_without_its_image_is_refused", "a_volume_that_no_cluster_can_hold_is_refused", suite="storage")
class FillsVolumesWithNothing(ReferenceStorage):
    def check(self, spec) -> None:
        return


@caught_by("a_volume_is_filled_from_an_image", suite="storage")
class FillsOnlyOnce(ReferenceStorage):
    def shape(self, spec):
        return uuid4()


@caught_by("an_update_leaves_no_drift", suite="buckets")
class NeverRenamesBuckets(ReferenceStorage):
    def update_bucket(self, spec):
        return self.buckets().required(spec.uid).status


@caught_by("deleting_again_is_success", suite="buckets")
class DeletesBucketsOnce(ReferenceStorage):
    def delete_bucket(self, uid) -> None:
        self.buckets().required(uid)
        super().delete_bucket(uid)
