// The same expressions by an implementation of CEL from npm: `node cel.mjs MODULE EXPRESSIONS`. Prints for each the
// nanoseconds of one evaluation and its result as JSON.
import {readFileSync} from 'node:fs'
import {pathToFileURL} from 'node:url'

const {parse} = await import(pathToFileURL(process.argv[2]).href)
const context = {
  quality: 'good',
  device: 'boiler-17',
  labels: {site: 'north', line: 'A'},
  value: {temperature: 93.5, pressure: 2.125, count: 7n, mode: 'auto', burner_on: true, steps: [3n, 1n, 2n]},
}
for (const text of readFileSync(process.argv[3], 'utf8').trim().split('\n')) {
  const expression = parse(text)
  const round = (n) => {
    const begin = process.hrtime.bigint()
    for (let i = 0; i < n; ++i) expression(context)
    return Number(process.hrtime.bigint() - begin) / n
  }
  round(50_000)
  const times = []
  for (let i = 0; i < 7; ++i) times.push(round(50_000))
  times.sort((a, b) => a - b)
  console.log(times[3], JSON.stringify(expression(context), (key, v) => (typeof v === 'bigint' ? Number(v) : v)))
}
