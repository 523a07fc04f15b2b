// Answers questions about IAM policies, one line of JSON each: whether the policies let the role do it. A line is
// {account, role, policies, action, resource, context, own}, where own is the resource's own policy, if it has one; its
// answer "Allowed", "ImplicitlyDenied", "ExplicitlyDenied", or "error: …" where AWS knows no such action, or the action
// takes no such resource. MISHAP_JUDGE is where package.json was installed.
import { createInterface } from 'node:readline'

const { runSimulation } = await import(`${process.env.MISHAP_JUDGE}/node_modules/@cloud-copilot/iam-simulate/dist/esm/index.js`)

for await (const line of createInterface({ input: process.stdin })) {
  const { account, role, policies, action, resource, context, own } = JSON.parse(line)
  const is = await runSimulation({
    request: { principal: role, action, resource: { resource, accountId: account }, contextVariables: context ?? {} },
    identityPolicies: policies.map((policy, n) => ({ name: `policy ${n}`, policy })),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy: own,
  }, {})
  process.stdout.write(`${is.resultType === 'error' ? 'error: ' + JSON.stringify(is.errors) : is.overallResult}\n`)
}
