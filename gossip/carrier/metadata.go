package carrier

import (
	"encoding/binary"
	"errors"
)

// metadataVersion starts the metadata that memberlist spreads with a member:
//
//	version 1 | node 8, big-endian | name
const metadataVersion = 1

func appendMetadata(b []byte, node Node, name string) []byte {
	b = append(b, metadataVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(node))
	return append(b, name...)
}

var errMetadata = errors.New("member with metadata unknown to this version")

// parseMetadata fails for another version. Such a member still gets
// broadcasts, so that a rolling upgrade does not cut the cluster in two; it
// only can't be addressed.
func parseMetadata(b []byte) (Node, string, error) {
	if len(b) < 9 || b[0] != metadataVersion || len(b)-9 > maxName {
		return 0, "", errMetadata
	}
	return Node(binary.BigEndian.Uint64(b[1:])), string(b[9:]), nil
}
