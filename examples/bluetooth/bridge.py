"""Bluetooth Low Energy in software: bumble's host and controller for each device, on virtual links.

    bridge.py [--mtu N] [--relay [--alters]] [--paired [--stranger]] PERIPHERAL -- CENTRAL

PERIPHERAL and CENTRAL are commands. This program moves bytes between their standard input and output and the
attributes of a GATT service, and hands the peripheral's engagement to the central, as a tap does. It knows nothing of
what is in them.

A frame is a length (4 bytes, big-endian), a letter and the rest:

    to the bridge                             from the bridge
    A service + engagement   advertise, tap   T engagement      tapped
    S service                connect          C mtu             connected (2 bytes, big-endian)
    V number + value         write or notify  V number + value  written or notified
    N yes or no (1, 0)       are they equal?  N digits          show this number (LE Secure Connections)
    D                        disconnect       D                 disconnected

A service has 16 bytes. Characteristics are numbered 1, 2, 3 as in ISO/IEC 18013-5:2021, table 11.
"""

import argparse
import asyncio
import logging
import struct
import sys

from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, ProtocolError
from bumble.device import Device, DeviceConfiguration, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import AsyncPipeSink

SECONDS = 60
# By how much a relay's disconnection comes later than what was sent.
LAG = 0.1


def characteristic_uuid(number):
    return UUID(f"0000000{number}-A123-48CE-896B-4C76973373E6")


def service_uuid(service):
    # As in advertising data: the last byte first.
    return UUID.from_bytes(service[::-1])


def service_data(service):
    return bytes(AdvertisingData([(AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, service[::-1])]))


class Program:
    """A command that is one end."""

    def __init__(self):
        self.answers = asyncio.Queue()

    async def start(self, command):
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)

    def send(self, kind, rest=b""):
        self.process.stdin.write(struct.pack(">I", 1 + len(rest)) + kind + rest)

    async def frames(self):
        while True:
            try:
                (length,) = struct.unpack(">I", await self.process.stdout.readexactly(4))
            except asyncio.IncompleteReadError:
                return
            frame = await self.process.stdout.readexactly(length)
            if frame[:1] == b"N":
                self.answers.put_nowait(frame[1:] == b"\x01")
            else:
                yield frame[:1], frame[1:]

    def connected(self, mtu):
        self.send(b"C", struct.pack(">H", mtu))

    def value(self, number, value):
        self.send(b"V", bytes([number]) + value)

    def disconnected(self):
        self.send(b"D")

    async def same(self, number, digits):
        self.send(b"N", f"{number:0{digits}}".encode())
        return await self.answers.get()


class Comparison(PairingDelegate):
    """Numeric comparison: what both ends show has to be the same."""

    def __init__(self, program):
        super().__init__(PairingDelegate.DISPLAY_OUTPUT_AND_YES_NO_INPUT)
        self.program = program

    async def compare_numbers(self, number, digits):
        return await self.program.same(number, digits)


class Radio:
    """A device on a virtual link, for `user`: a program, or the other radio of a relay."""

    def __init__(self, link, address, mtu, user=None):
        controller = Controller("C", link=link, public_address=address)
        configuration = DeviceConfiguration(address=Address(address))
        self.device = Device(config=configuration, host=Host(controller, AsyncPipeSink(controller)))
        self.device.gatt_server.max_mtu = mtu
        self.mtu = mtu
        self.user = user
        self.connection = None

    def pairs_by_comparison(self, program):
        self.device.pairing_config_factory = lambda _: PairingConfig(
            sc=True, mitm=True, bonding=True, delegate=Comparison(program)
        )

    async def disconnect(self):
        if self.connection is not None:
            await self.connection.disconnect()

    def on_disconnection(self, _reason):
        self.connection = None
        self.user.disconnected()


class Peripheral(Radio):
    def advertised(self, service, paired):
        rights = Characteristic.WRITEABLE
        if paired:
            rights |= Characteristic.WRITE_REQUIRES_ENCRYPTION | Characteristic.WRITE_REQUIRES_AUTHENTICATION
        writes, notifies = Characteristic.Properties.WRITE_WITHOUT_RESPONSE, Characteristic.Properties.NOTIFY
        self.characteristics = {}
        for number, properties in {1: writes | notifies, 2: writes, 3: notifies}.items():
            value = CharacteristicValue(write=lambda _, value, number=number: self.written(number, value))
            self.characteristics[number] = Characteristic(characteristic_uuid(number), properties, rights, value)
        self.device.add_service(Service(service_uuid(service), list(self.characteristics.values())))
        self.device.on("connection", self.on_connection)
        self.told = False

    async def advertise(self, service):
        await self.device.power_on()
        await self.device.start_advertising(advertising_data=service_data(service), advertising_interval_min=1.0)

    def on_connection(self, connection):
        self.connection = connection
        connection.on("disconnection", self.on_disconnection)

    def written(self, number, value):
        if not self.told:
            # The MTU is agreed on before the first value.
            self.told = True
            self.user.connected(self.connection.att_mtu)
        self.user.value(number, value)

    async def send(self, number, value):
        if self.connection is not None:
            await self.device.notify_subscriber(self.connection, self.characteristics[number], value)


class Central(Radio):
    async def connect(self, service, pairing):
        await self.device.power_on()
        found = asyncio.get_running_loop().create_future()
        wanted = service_data(service)

        def on_advertisement(advertisement):
            if wanted in bytes(advertisement.data) and not found.done():
                found.set_result(advertisement.address)

        self.device.on("advertisement", on_advertisement)
        await self.device.start_scanning(filter_duplicates=True)
        address = await found
        await self.device.stop_scanning()
        self.connection = await self.device.connect(address)
        self.connection.on("disconnection", self.on_disconnection)
        peer = Peer(self.connection)
        mtu = await peer.request_mtu(self.mtu)
        if pairing:
            try:
                await self.connection.pair()
            except ProtocolError:
                await self.disconnect()
                return
        (proxy,) = await peer.discover_service(service_uuid(service))
        await proxy.discover_characteristics()
        self.characteristics = {}
        for number in (1, 2, 3):
            (self.characteristics[number],) = proxy.get_characteristics_by_uuid(characteristic_uuid(number))
        for number in (1, 3):
            await self.characteristics[number].subscribe(lambda value, number=number: self.user.value(number, value))
        self.user.connected(mtu)

    async def send(self, number, value):
        if self.connection is not None:
            await self.characteristics[number].write_value(value)


class Relay:
    """One of a relay's radios as the other one sees it: what comes here goes out there."""

    def __init__(self, other, alters):
        self.other = other
        self.alters = alters

    def connected(self, _mtu):
        pass

    def value(self, number, value):
        if self.alters and number == 3:
            value = value[:-1] + bytes([value[-1] ^ 1])
        asyncio.ensure_future(self.other.send(number, value))

    def disconnected(self):
        asyncio.ensure_future(self.hang_up())

    async def hang_up(self):
        # What is on its way arrives before.
        await asyncio.sleep(LAG)
        await self.other.disconnect()


async def run(options, commands):
    band, reader = Program(), Program()
    near = LocalLink()
    peripheral = Peripheral(near, "F0:F0:F0:F0:F0:F0", options.mtu, band)
    far = LocalLink() if options.relay else near
    central = Central(far, "F1:F1:F1:F1:F1:F1", options.mtu, reader)
    if options.paired:
        peripheral.pairs_by_comparison(band)
        central.pairs_by_comparison(reader)
    await band.start(commands[0])
    await reader.start(commands[1])

    connecting = []

    async def serve(program, radio):
        async for kind, rest in program.frames():
            if kind == b"A":
                service, engagement = rest[:16], rest[16:]
                radio.advertised(service, options.paired)
                await radio.advertise(service)
                if options.relay:
                    await relay(service)
                reader.send(b"T", engagement)
            elif kind == b"S":
                # Meanwhile the program is asked for the numbers.
                connecting.append(asyncio.create_task(radio.connect(rest, options.paired and not options.stranger)))
            elif kind == b"V":
                await radio.send(rest[0], rest[1:])
            elif kind == b"D":
                await radio.disconnect()

    async def relay(service):
        """Two radios of one attacker, who got the engagement at the band: one at the band, one at the reader."""
        at_band = Central(near, "F2:F2:F2:F2:F2:F2", options.mtu)
        at_reader = Peripheral(far, "F3:F3:F3:F3:F3:F3", options.mtu)
        at_band.user, at_reader.user = Relay(at_reader, options.alters), Relay(at_band, options.alters)
        await at_band.connect(service, False)
        at_reader.advertised(service, False)
        await at_reader.advertise(service)

    await asyncio.gather(serve(band, peripheral), serve(reader, central))
    for task in connecting:
        if task.done():
            task.result()
        else:
            task.cancel()
    return await band.process.wait() or await reader.process.wait()


def main():
    # What a link that is gone, or a write without a right, leads to is for the programs to tell.
    logging.getLogger("bumble").setLevel(logging.CRITICAL)
    parser = argparse.ArgumentParser()
    parser.add_argument("--mtu", type=int, default=247)
    parser.add_argument("--relay", action="store_true", help="no common link: an attacker's two radios between them")
    parser.add_argument("--alters", action="store_true", help="the attacker changes what the peripheral says")
    parser.add_argument("--paired", action="store_true", help="LE Secure Connections by numeric comparison")
    parser.add_argument("--stranger", action="store_true", help="the central pairs with nobody")
    parser.add_argument("commands", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    middle = options.commands.index("--")
    commands = options.commands[:middle], options.commands[middle + 1 :]
    sys.exit(asyncio.run(asyncio.wait_for(run(options, commands), SECONDS)))


main()
