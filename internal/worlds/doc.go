// Package worlds makes up systems and their traffic, request by request and with a time of its own, and lets the real book and
// the real analysis judge them. It is a test kit: it counts and decides nothing, so that what it measures is what the program
// does. [Healthy] has worlds in which the fault does nothing, [Harmed] those in which it does harm; each says which verdicts
// are wrong, how often they may be, and why.
package worlds
