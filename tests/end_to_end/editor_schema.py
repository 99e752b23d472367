# The JSON Schema of `railhead reference --schema`, as an editor uses it: a real validator takes every sample
# configuration and refuses wrong ones at the right place.  editor_schema.py PROGRAM SOURCE_DIRECTORY
import glob
import json
import os
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
    ('version: 1\nrulez: []', ''),
]


def main(program, source):
    schema = json.loads(subprocess.run([program, 'reference', '--schema'], capture_output=True, check=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    faults = 0
    samples = sorted(glob.glob(f'{source}/firmware-config/etc/railhead/*.yaml') + glob.glob(f'{source}/adapters/*/sample.yaml'))
    samples += sorted(path for path in glob.glob(f'{source}/tests/cases/rules/*/config.yaml')
                      if not os.path.exists(os.path.join(os.path.dirname(path), 'error.txt')))
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
    for text, place in WRONG:
        places = ['/'.join(map(str, error.absolute_path)) for error in validator.iter_errors(read('gateway: g\n' + text))]
        if not any(found.startswith(place) for found in places):
            faults += 1
            print(f'not refused at {place!r} but at {places}: {text!r}')
    print(f'{len(samples)} samples, {len(WRONG)} wrong ones, {faults} faults')
    return 1 if faults or len(samples) < 10 else 0


sys.exit(main(sys.argv[1], sys.argv[2]))
