package statuslist_test

import (
	"fmt"

	"rescind/token/statuslist"
)

// The list of section 4.2 of the draft: 16 tokens, 1 bit each.
func ExampleParse() {
	list, err := statuslist.Parse(1, "eNrbuRgAAhcBXQ", 1<<20)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, index := range []uint64{0, 1, 16} {
		status, ok := list.Get(index)
		fmt.Println(index, status == statuslist.Invalid, ok)
	}
	// Output:
	// 0 true true
	// 1 false true
	// 16 false false
}
