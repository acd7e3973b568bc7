// Package observe holds what shows a cluster to people: rules and a dashboard. Its
// tests parse every expression and look whether running nodes export what it
// names.
package observe
