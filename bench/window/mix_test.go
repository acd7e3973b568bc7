package window

import "testing"

func TestParseMix(t *testing.T) {
	m, err := ParseMix("jti=8,sid=1,sub=1")
	if err != nil || len(m.Scopes) != 10 {
		t.Fatalf("%v, %v", m, err)
	}
	for _, bad := range []string{"", "jti", "jti=-1", "kid=1", "jti=0", "jti=9999", "jti=1,,"} {
		if _, err := ParseMix(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
