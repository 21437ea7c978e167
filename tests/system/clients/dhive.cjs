// dhive on the devnet: reads a job from standard input, signs and broadcasts its operations, prints what it saw.
const { Client, PrivateKey } = require('@hiveio/dhive')

async function main() {
  const job = JSON.parse(require('fs').readFileSync(0, 'utf8'))
  const client = new Client(job.url, { chainId: job.chainId, timeout: 10000 })
  const key = PrivateKey.fromString(job.key)
  const sent = []
  for (const [kind, value] of job.operations) {
    const send = kind === 'transfer' ? client.broadcast.transfer : client.broadcast.json
    sent.push((await send.call(client.broadcast, value, key)).id)
  }
  const [account] = await client.database.getAccounts([job.account])
  const publicKey = key.createPublic().toString()
  const owners = await client.keys.getKeyReferences([publicKey])
  const statuses = []
  for (const id of sent) statuses.push((await client.transaction.findTransaction(id)).status)
  const manas = await client.rc.getRCMana(job.account)
  const price = await client.database.getCurrentMedianHistoryPrice()
  return {
    sent,
    statuses,
    balance: account.balance,
    active: account.active.key_auths[0][0] === publicKey,
    owners: owners.accounts,
    mana: manas.percentage,
    price: price.base.toString(),
    head: (await client.database.getDynamicGlobalProperties()).head_block_number
  }
}

main().then(
  (result) => console.log(JSON.stringify(result)),
  (error) => console.log(JSON.stringify({ error: error.message, info: error.jse_info }))
)
