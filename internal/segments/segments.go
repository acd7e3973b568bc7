// Package segments keeps TCP segments small enough for every path. A tunnel on
// which nobody lets ICMP through swallows larger ones, and then whatever is larger
// than one segment hangs for ever (RFC 2923). The price is more packets on a wide
// path; the kernel still handles them in bursts.
package segments
