// Package report is what a measurement leaves behind: a file of figures for
// machines and a page for people.
//
// A command fills one [Result]: figures, and blocks (headings, notes, tables,
// plots) in the order in which they are to be read. It prints what it likes
// meanwhile. Whoever ran it then calls [Output.Write], which honours the flags
// --json and --out.
//
// The JSON holds the blocks as well, data of plots included, so that a page can
// be made from it later, and one page from several files ([Read], [WriteHTML]).
//
// What a sample of time never saw (a revocation that did not arrive before the
// time-out) is never left out: it counts with the time-out and the plots mark
// it as "this long or longer" ([Distribution.Lost]).
//
// Nothing here is safe for concurrent use.
package report
