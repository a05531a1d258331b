// A function of Lambda that writes "marked " before each record, and logs the number of records: the smallest client of the Runtime API.
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`
for (;;) {
  const next = await fetch(`${api}/next`)
  const { records } = await next.json()
  console.log(`invocation of ${records.length}`)
  const marked = records.map(({ recordId, data }) => ({
    recordId,
    result: 'Ok',
    data: Buffer.concat([Buffer.from('marked '), Buffer.from(data, 'base64')]).toString('base64'),
  }))
  const id = next.headers.get('lambda-runtime-aws-request-id')
  await fetch(`${api}/${id}/response`, { method: 'POST', body: JSON.stringify({ records: marked }) })
}
