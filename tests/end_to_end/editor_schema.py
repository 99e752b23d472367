# The JSON Schema of `railhead reference --schema`, as an editor uses it: a real validator takes every sample
# configuration and refuses wrong ones at the right place.  editor_schema.py PROGRAM SOURCE_DIRECTORY
import glob
import json
import os
import re
import subprocess
import sys

import jsonschema
import yaml


class Yaml12(yaml.SafeLoader):  # YAML's 1.2 core schema, as editors and the gateway read it
    pass


KEPT = {'tag:yaml.org,2002:null', 'tag:yaml.org,2002:int', 'tag:yaml.org,2002:float'}
Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag in KEPT]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Yaml12.add_implicit_resolver('tag:yaml.org,2002:bool', __import__('re').compile('^(true|false)$'), list('tf'))


def keyed(value):  # JSON's names are texts
    if isinstance(value, dict):
        return {str(key): keyed(member) for key, member in value.items()}
    return [keyed(item) for item in value] if isinstance(value, list) else value


def read(text):
    return keyed(yaml.load(text, Yaml12))


WRONG = [  # text, where the validator must point
    ('version: one', 'version'),
    ('version: 1\nspool: { limt: 2 GiB }', 'spool'),
    ('version: 1\nspool: { limit: much }', 'spool/limit'),
    ('version: 1\nsources: { a: { modbus: { url: 5 } } }', 'sources/a/modbus'),
    ('version: 1\nsources: { a: { mqtt: { subscribe: [ { topic: t, qos: 3 } ] } } }', 'sources/a/mqtt'),
    ('version: 1\nrules: [ { name: r } ]', 'rules/0'),
    ('version: 1\nrules: [ { name: r, send: { to: s, prio: high } } ]', 'rules/0/send'),
    ('version: 1\nrules: [ { name: r, send: { to: s, priority: highest } } ]', 'rules/0/send'),
    ('version: 1\nrules: [ { name: r, window: { every: often }, send: { to: s } } ]', 'rules/0/window'),
    ('version: 1\nsinks: { k: { kafka: { brokers: [ b ], compression: lz5 } } }', 'sinks/k/kafka'),
    ('version: 1\nsinks: { k: { kafka: { brokers: [ b ], envelope: none } } }', 'sinks/k/kafka'),
    ('version: 1\nsinks: { k: { kafka: { brokers: [ b ] }, enforce: maybe } }', 'sinks/k/enforce'),
    ('version: 1\ntables: { t: { file: 7 } }', 'tables/t/file'),
    ('version: 1\nrules: [ { name: r, snapshot: 10 min, send: { to: s } } ]', 'rules/0/snapshot'),
    ('version: 1\nrules: [ { name: r, expect_sequence: { by: device }, send: { to: s } } ]', 'rules/0/expect_sequence'),
    ('version: 1\nrules: [ { name: r, dedup: { by: device, for: 0 s, limit: none }, send: { to: s } } ]', 'rules/0/dedup'),
    ('version: 1\nrules: [ { name: r, from: { sources: s }, send: { to: s } } ]', 'rules/0/from'),
    ('version: 1\nrules: [ { name: r, send: { to: s, amqp_priority: 256 } } ]', 'rules/0/send'),
    ('version: 1\nown_readings: { events: debug }', 'own_readings/events'),
    ('version: 1\ntests: [ { name: t, given: { source: s, valeu: 1 } } ]', 'tests/0/given'),
    ('version: 1\ntests: [ { name: t, given: { source: s }, errors: { rul: r } } ]', 'tests/0/errors'),
    ('version: 1\nrulez: []', ''),
]


# Maps whose names are the user's, or that hold what is no field.
OPEN = re.compile(r'''
    labels | sources | sinks | tables | models
  | sources/[^/]+/modbus/devices | (sources/[^/]+/modbus/devices|models)/[^/]+/(points|repeat)
  | .*/(bits|enum|flags|user_properties|types)
  | rules/[^/]+/(let|on_change) | rules/[^/]+/(send|late)(/[0-9]+)?/(headers|body.*)
  | tests/[^/]+/expect.* | tests/[^/]+/given(/[0-9]+)?/(value|bad|attributes).*''', re.X)


def maps(value, path=()):  # (path, map), outermost first
    if isinstance(value, dict):
        yield path, value
    for name, member in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from maps(member, path + (str(name),))


def kind_of_place(path):  # one place for all of a list's items and all names of the user's choice
    named = ['*' if part.isdigit() or (i == 1 and path[0] in ('sources', 'sinks', 'tables', 'models')) else part
             for i, part in enumerate(path)]
    return '/'.join('*' if i > 0 and named[i - 1] in ('devices', 'points', 'repeat') else part
                    for i, part in enumerate(named))


def takes_unknown_names(validator, document, seen):  # places of a good document where a name nobody knows is not refused
    for path, found in maps(document):
        place = kind_of_place(path)
        if place in seen or OPEN.fullmatch('/'.join(path)):
            continue
        seen.add(place)
        found['no_such_field'] = 1
        if validator.is_valid(document):
            yield place
        del found['no_such_field']


def main(program, source):
    schema = json.loads(subprocess.run([program, 'reference', '--schema'], capture_output=True, check=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    faults = 0
    seen = set()
    samples = sorted(glob.glob(f'{source}/firmware-config/etc/railhead/*.yaml') + glob.glob(f'{source}/adapters/*/sample.yaml'))
    samples += sorted(path for path in glob.glob(f'{source}/tests/cases/rules/*/config.yaml')
                      if not os.path.exists(os.path.join(os.path.dirname(path), 'error.txt')) and 'that-fail' not in path)
    for path in samples:
        with open(path, encoding='utf-8') as file:
            document = read(file.read())
        if not {'sources', 'sinks', 'rules'} & document.keys():  # a sink alone
            document = {'sinks': document}
        if '/tests/cases/' in path:  # their sources are named, not configured
            del document['sources']
        document = {'version': 1, 'gateway': 'g'} | document
        for error in validator.iter_errors(document):
            faults += 1
            print(f'{path}: {"/".join(map(str, error.absolute_path))}: {error.message[:300]}')
        for place in takes_unknown_names(validator, document, seen):
            faults += 1
            print(f'{path}: a name that nobody knows is taken at {place!r}')
    for text, place in WRONG:
        places = ['/'.join(map(str, error.absolute_path)) for error in validator.iter_errors(read('gateway: g\n' + text))]
        if not any(found.startswith(place) for found in places):
            faults += 1
            print(f'not refused at {place!r} but at {places}: {text!r}')
    print(f'{len(samples)} samples, {len(WRONG)} wrong ones, {len(seen)} places for a wrong name, {faults} faults')
    return 1 if faults or len(samples) < 10 or len(seen) < 25 else 0


sys.exit(main(sys.argv[1], sys.argv[2]))
