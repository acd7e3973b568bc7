// Package fetch downloads keys and status lists: from https, or http on this host, and
// nowhere else; within a time and a size; again after a pause that grows with failures.
package fetch
