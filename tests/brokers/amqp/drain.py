#!/usr/bin/python3
"""An AMQP 0-9-1 client on pika, which shares no code with the gateway's own.

    drain.py URL drain QUEUE           prints and acknowledges everything that is in the queue, one JSON document a line
    drain.py URL declare WHAT...       makes, in this order:
        queue:NAME[:ARGUMENT=VALUE,...]   a durable queue      (x-max-length=5,x-overflow=reject-publish)
        exchange:NAME:TYPE                a durable exchange
        bind:EXCHANGE:ROUTING_KEY:QUEUE
        delete-queue:NAME | delete-exchange:NAME
    drain.py URL count QUEUE           prints how many messages are in it
"""
import json
import sys

import pika


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def document(method, properties, body):
    headers = {}
    for name, value in (properties.headers or {}).items():
        headers[name] = text(value) if isinstance(value, (bytes, str)) else str(value)
    return {
        "exchange": method.exchange,
        "routing_key": method.routing_key,
        "redelivered": method.redelivered,
        "message_id": properties.message_id,
        "content_type": properties.content_type,
        "delivery_mode": properties.delivery_mode,
        "priority": properties.priority,
        "timestamp": properties.timestamp,
        "headers": headers,
        "value": text(body),
    }


def drain(channel, queue):
    count = channel.queue_declare(queue, passive=True).method.message_count
    if count == 0:
        return
    channel.basic_qos(prefetch_count=1000)
    done = 0
    for method, properties, body in channel.consume(queue, inactivity_timeout=10):
        if method is None:
            sys.exit("the queue said %d messages, only %d came" % (count, done))
        sys.stdout.write(json.dumps(document(method, properties, body)) + "\n")
        done += 1
        if done % 500 == 0 or done == count:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if done == count:
            break
    channel.cancel()


def arguments_of(words):
    arguments = {}
    for word in words.split(",") if words else []:
        name, value = word.split("=")
        arguments[name] = int(value) if value.isdigit() else value
    return arguments


def declare(channel, what):
    kind, *rest = what.split(":")
    if kind == "queue":
        channel.queue_declare(rest[0], durable=True, arguments=arguments_of(rest[1] if len(rest) > 1 else ""))
    elif kind == "exchange":
        channel.exchange_declare(rest[0], exchange_type=rest[1], durable=True)
    elif kind == "bind":
        channel.queue_bind(rest[2], rest[0], routing_key=rest[1])
    elif kind == "delete-queue":
        channel.queue_delete(rest[0])
    elif kind == "delete-exchange":
        channel.exchange_delete(rest[0])
    else:
        sys.exit("unknown: " + what)


def main():
    url, verb, *words = sys.argv[1:]
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    if verb == "drain":
        drain(channel, words[0])
    elif verb == "count":
        print(channel.queue_declare(words[0], passive=True).method.message_count)
    else:
        for what in words:
            declare(channel, what)
    connection.close()


main()
