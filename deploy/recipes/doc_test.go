// Package recipes_test runs each recipe of this folder in its proxy, in front of
// a backend and beside a cluster of two nodes. A proxy that is not on the PATH is
// skipped; `.ci/step proxies` installs them.
package recipes_test
