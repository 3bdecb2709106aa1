// Runs the vendor's client for JavaScript: one line of JSON on standard input is one call, one line on standard output is
// what came of it; `Driver` in ../clients.py is the other side. Beside this file must be its packages.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const vendor = require('sunshine-conversations-client')
const { version } = require('sunshine-conversations-client/package.json')
if (version !== process.argv[2]) throw new Error(`the client is ${version}`)

function clientOf({ base, configuration }) {
  const client = new vendor.ApiClient()
  client.basePath = base
  const { basicAuth, bearerAuth } = client.authentications
  if ('username' in configuration) basicAuth.username = configuration.username
  if ('password' in configuration) basicAuth.password = configuration.password
  if ('access_token' in configuration) bearerAuth.accessToken = configuration.access_token
  return client
}

// An argument: what names a model is made one from the object.
const made = (value) => (value && value.$model ? vendor[value.$model].constructFromObject(value.dict) : value)

async function answer(call) {
  try {
    const api = new vendor[call.api](clientOf(call))
    const { data, response } = await api[`${call.operation}WithHttpInfo`](...call.arguments.map(made))
    return { status: response.status, headers: response.headers, body: response.text, data }
  } catch (error) {
    if (error.status) return { status: error.status, exception: 'rejected', headers: error.response.headers, body: error.response.text }
    return { refused: (error.error ?? error).constructor.name, text: String(error.error ?? error) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
}
