"""Address-event packets: a 32-bit key that packs channel, chip, core and axon, and a 32-bit signed payload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

CHANNELS = {"spike": 0, "error": 1, "probe": 2, "inhibit": 3, "input": 4, "target": 5}
"""Channel numbers of a packet's key. Neurons send on the first four, the host on the last two."""
PAYLOAD_BITS = 32
Keys = NDArray[np.uint32]


class Packet(NamedTuple):
    """What travels on the network. ``payload`` is signed; a plain spike carries 1."""

    key: int
    payload: int = 1


class Address(NamedTuple):
    """A decoded key. ``channel`` is a number, see CHANNELS."""

    channel: int
    chip: int
    core: int
    axon: int


class Fields(Protocol):
    """Bits of each field, as a datasheet's ``[key]`` states them."""

    @property
    def channel(self) -> int:
        """Bits of the channel."""

    @property
    def chip(self) -> int:
        """Bits of the chip's number."""

    @property
    def core(self) -> int:
        """Bits of the core's number on its chip."""

    @property
    def axon(self) -> int:
        """Bits of the axon's number on its core."""


@dataclass(frozen=True)
class KeyLayout:
    """Bits of each field; the axon is lowest, then core, chip and channel."""

    channel: int
    chip: int
    core: int
    axon: int

    @classmethod
    def of(cls, fields: Fields) -> KeyLayout:
        """The layout of a datasheet's ``[key]`` table."""
        return cls(fields.channel, fields.chip, fields.core, fields.axon)

    @property
    def n_axons(self) -> int:
        """Axons a core can be addressed by."""
        return 1 << self.axon

    def encode(self, address: Address) -> int:
        """Pack one address. Every field must fit: the compiler has seen to it."""
        for value, bits in zip(address, (self.channel, self.chip, self.core, self.axon), strict=True):
            assert 0 <= value < 1 << bits, (address, self)
        key = (address.channel << self.chip | address.chip) << self.core | address.core
        return key << self.axon | address.axon

    def decode(self, key: int) -> Address:
        """Unpack one key."""
        axon, key = key & ((1 << self.axon) - 1), key >> self.axon
        core, key = key & ((1 << self.core) - 1), key >> self.core
        return Address(key >> self.chip & ((1 << self.channel) - 1), key & ((1 << self.chip) - 1), core, axon)

    def encode_array(
        self,
        channel: NDArray[np.integer],
        chip: NDArray[np.integer],
        core: NDArray[np.integer],
        axon: NDArray[np.integer],
    ) -> Keys:
        """Pack arrays of equal shape; dtype uint32."""
        fields = [np.asarray(field, np.uint64) for field in (channel, chip, core, axon)]
        key = fields[0]
        for field, bits in zip(fields[1:], (self.chip, self.core, self.axon), strict=True):
            key = key << np.uint64(bits) | field
        return key.astype(np.uint32)

    def decode_array(self, keys: Keys) -> tuple[Keys, Keys, Keys, Keys]:
        """Unpack an array into (channel, chip, core, axon), each uint32."""
        rest = keys.astype(np.uint64)
        fields = []
        for bits in (self.axon, self.core, self.chip, self.channel):
            fields.append((rest & np.uint64((1 << bits) - 1)).astype(np.uint32))
            rest = rest >> np.uint64(bits)
        axon, core, chip, channel = fields
        return channel, chip, core, axon


assert max(CHANNELS.values()) < 8, "a channel takes three bits of a key"
