#!/usr/bin/python3
"""A Modbus/TCP Security device: secure_device.py PORT CERT KEY CA

Asks for the client's certificate; every register holds its own address. Python's ssl, so that nothing is shared with
the gateway. Sends each answer as two TLS records, cut in the middle.
"""
import socket
import ssl
import struct
import sys
import threading


def exactly(stream, count):
    data = b""
    while len(data) < count:
        got = stream.recv(count - len(data))
        if not got:
            raise ConnectionError
        data += got
    return data


def serve(context, plain):
    try:
        with context.wrap_socket(plain, server_side=True) as stream:
            while True:
                transaction, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", exactly(stream, 12))
                body = b"".join(struct.pack(">H", address + i) for i in range(count))
                answer = struct.pack(">HHHBBB", transaction, 0, 3 + len(body), unit, function, len(body)) + body
                stream.sendall(answer[:9])
                stream.sendall(answer[9:])
    except (OSError, ConnectionError) as error:
        print(error, flush=True)


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    context.load_verify_locations(sys.argv[4])
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        print("ready", flush=True)
        while True:
            threading.Thread(target=serve, args=(context, listener.accept()[0]), daemon=True).start()


main()
