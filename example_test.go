package rescind_test

import (
	"fmt"
	"time"

	"rescind"
)

// Two nodes were told different things of one subject. In whatever order the
// records meet, what is left refuses what either of them refused.
func ExampleRecord_Join() {
	noon := rescind.MillisOf(time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC))
	d := rescind.MakeDigest(rescind.ScopeSub, 1, 2) // nodes make it from the key
	here := rescind.Record{Digest: d, IssuedBefore: noon, ExpiresAt: noon.Add(2 * time.Hour)}
	there := rescind.Record{Digest: d, IssuedBefore: noon.Add(time.Minute), ExpiresAt: noon.Add(time.Hour)}

	joined := here.Join(there)
	fmt.Println(joined == there.Join(here), joined == joined.Join(here))
	fmt.Println("issued before", joined.IssuedBefore.Time().UTC().Format(time.TimeOnly), "until", joined.ExpiresAt.Time().UTC().Format(time.TimeOnly))
	fmt.Println(joined.Covers(noon.Add(30*time.Second)), joined.Covers(noon.Add(2*time.Minute)))
	// Output:
	// true true
	// issued before 12:01:00 until 14:00:00
	// true false
}
