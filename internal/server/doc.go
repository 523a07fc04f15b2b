// Package server runs declared experiments by themselves: it follows their sources,
// dispatches what is due, takes over what lost servers left, and tells people.
//
// Each part is a type: the follower puts trees in force, which are desired; the
// dispatcher says what becomes of what is due, the launcher begins it, and the asker
// begins what somebody asks for; approvals, takeover, announcer, notices. [Server] wires
// them. It knows no HTTP: who asks over the network, and whether they may, is for
// internal/httpapi.
package server
