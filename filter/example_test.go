package filter_test

import (
	"fmt"
	"time"

	"rescind"
	"rescind/filter"
)

func ExampleSet() {
	set := filter.New(filter.Options{Key: [32]byte{1}, Max: 1_000_000}) // the cluster's secret
	now := rescind.MillisOf(time.Now())
	phone := rescind.Token{Issuer: "https://shop.example", Subject: "ada", Session: "phone", IssuedAt: now}
	laptop := rescind.Token{Issuer: "https://shop.example", Subject: "ada", Session: "laptop", IssuedAt: now}

	session := rescind.Key{Scope: rescind.ScopeSID, Issuer: "https://shop.example", ID: "phone"}
	record := rescind.Record{Digest: set.Digest(session), IssuedBefore: rescind.Ever, ExpiresAt: now.Add(time.Hour)}
	if _, _, err := set.Add(record); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Revoked(&phone), set.Revoked(&laptop))

	// The same record again, from another node, is no news.
	_, changed := set.Merge(record)
	fmt.Println(changed, set.Len())
	// Output:
	// true false
	// false 1
}
