// Package share divides a peer's processor time and memory among those who make it work.
//
// What is divided hangs on what cannot be made for free. A particle belongs to an [Owner]:
// the address range it came from, the remote that brought it, the init peer that signed it.
// Keys cost nothing, so a thousand init peers behind one remote have one remote's share, and a
// thousand remotes in one address range have one range's. Within its share each level is
// divided among the next one: a peer that forwards for many clients is not starved by one of
// them, nor are they by it.
//
//	[Scheduler]  processor: slots, granted by least time used
//	[Ledger]     memory and live particles: limits, shares, and who holds the most
package share

// Owner is who a particle's cost is charged to.
type Owner struct {
	Range  string // address range; on loopback the connection
	Remote string // peer id of the remote that brought it
	Init   string // peer id of the init peer; empty for what belongs to the remote
}

// Self is the range of what the peer does for itself. It has no share: it may have all there is.
const Self = ""

// levels are the names of an owner, from the outside in.
func (o Owner) levels() [3]string { return [3]string{o.Range, o.Remote, o.Init} }
