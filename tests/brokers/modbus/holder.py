#!/usr/bin/python3
"""A pymodbus server that holds what it is told: holder.py PORT SPEC.json [rtu]

SPEC: {"points": [{"table": "holding", "address": 0, "type": "int32", "order": "CDAB", "value": -5}, ...]}
or {"base": 40000, "registers": "53756e53..."}: holding registers as they are, and no others.
With `rtu` it speaks RTU frames over TCP. It encodes by itself (struct and int.to_bytes), so that nothing is shared with
the decoder under test.
"""
import json
import struct
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer

FLOATS = {"float16": ">e", "float32": ">f", "float64": ">d"}


def big_endian(kind, value):
    if kind in FLOATS:
        return struct.pack(FLOATS[kind], value)
    size = int("".join(c for c in kind if c.isdigit())) // 8
    if kind.startswith("bcd"):
        return bytes.fromhex(str(value).zfill(size * 2))
    return int(value).to_bytes(size, "big", signed=kind.startswith("int"))


def on_the_wire(point):
    kind = point["type"]
    if kind == "string":
        data = point["value"].encode("utf-8").ljust(point["length"], point.get("pad", "\0").encode())
        data += b"?" * (len(data) % 2)
        if point.get("order") == "BA":
            data = b"".join(data[i + 1:i + 2] + data[i:i + 1] for i in range(0, len(data), 2))
        return data
    data = big_endian(kind, point["value"])
    if len(data) == 1:
        return data + b"\xa5" if point.get("order") == "A" else b"\xa5" + data
    order = point.get("order") or "ABCDEFGH"[:len(data)]
    return bytes(data["ABCDEFGH".index(letter)] for letter in order)


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        spec = json.load(file)
    tables = {name: [0] * 10000 for name in ("coil", "discrete", "input", "holding")}
    for point in spec.get("points", []):
        table = tables[point["table"]]
        if point["table"] in ("coil", "discrete"):
            table[point["address"]] = int(point["value"])
            continue
        data = on_the_wire(point)
        for i in range(0, len(data), 2):
            table[point["address"] + i // 2] = data[i] << 8 | data[i + 1]
    data = bytes.fromhex(spec.get("registers", ""))
    words = [data[i] << 8 | data[i + 1] for i in range(0, len(data), 2)]
    image = ModbusSequentialDataBlock(spec["base"], words) if words else None
    slave = ModbusSlaveContext(
        co=ModbusSequentialDataBlock(0, tables["coil"]),
        di=ModbusSequentialDataBlock(0, tables["discrete"]),
        ir=ModbusSequentialDataBlock(0, tables["input"]),
        hr=image if image else ModbusSequentialDataBlock(0, tables["holding"]),
        zero_mode=True,
    )
    StartTcpServer(
        context=ModbusServerContext(slaves={3: slave}, single=False),
        framer=ModbusRtuFramer if sys.argv[3:] == ["rtu"] else ModbusSocketFramer,
        address=("127.0.0.1", int(sys.argv[1])),
    )


main()
