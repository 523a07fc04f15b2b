// Package desk answers about runs, schedules and what stands in their way, and hands
// on what stops a run or lets it start again: from this machine's ledger, whoever runs
// something. It runs nothing itself.
package desk
