package data

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"

	"github.com/aquanode/aquanode/interpreter/value"
)

// thousand is data of a thousand calls on a few peers, with different results.
func thousand() *Data {
	d := &Data{}
	for i := range 1000 {
		peer := PeerIDOf(testKey(fmt.Sprint(i % 5)).Public().(ed25519.PublicKey))
		addCall(d, peer, value.String(fmt.Sprintf("the result of call number %d", i)))
	}
	for i := range 5 {
		d.Signatures = append(d.Signatures, Sign(testKey(fmt.Sprint(i)), "p", &Multiset{}).Signature)
	}
	return d
}

func BenchmarkDecode(b *testing.B) {
	bytes := Encode(thousand())
	b.SetBytes(int64(len(bytes)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(bytes); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckArchive(b *testing.B) {
	e, _ := Open(Encode(thousand()))
	b.SetBytes(int64(len(e.archive)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := checkArchive(e.archive, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	d := thousand()
	b.SetBytes(int64(len(Encode(d))))
	b.ReportAllocs()
	for b.Loop() {
		Encode(d)
	}
}

func BenchmarkVerifyStores(b *testing.B) {
	d := thousand()
	for name, known := range map[string]*Data{"fresh": nil, "known": d.Clone()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := VerifyStores(d, known, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	d := thousand()
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.Merge(d, nil)
		}
	})
	b.Run("fresh", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			(&Data{}).Merge(d, nil)
		}
	})
}

func BenchmarkCID(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000, 1 << 20} {
		b.Run(fmt.Sprint("value/", n), func(b *testing.B) {
			v := value.String(strings.Repeat("x", n-2))
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				ValueCID(v)
			}
		})
	}
	peer := PeerIDOf(testKey("A").Public().(ed25519.PublicKey))
	t := value.Tetraplet{PeerPK: peer, ServiceID: "service", FunctionName: "function"}
	r := ServiceResult{ValueCID(value.Null), ArgumentsCID(nil), TetrapletCID(t)}
	args := []string{value.String(peer).Text(), "7", "[]"}
	for name, compute := range map[string]func(){
		"tetraplet":      func() { TetrapletCID(t) },
		"service result": func() { ServiceResultCID(r) },
		"arguments":      func() { ArgumentsCID(args) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				compute()
			}
		})
	}
}

func BenchmarkSigners(b *testing.B) {
	d := thousand()
	b.Run("of 1000 results", func(b *testing.B) {
		for b.Loop() {
			if _, err := SignersOf(d, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	calls := make(map[string]int)
	for i := range 1000 {
		calls[fmt.Sprint(i)] = 1
	}
	many := signed("p", calls)
	var known Verified
	b.Run("verify 1000", func(b *testing.B) {
		for b.Loop() {
			if err := signersOf(b, many).Verify("p", nil, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	signersOf(b, many).Verify("p", &known, nil)
	b.Run("verify 1000 known", func(b *testing.B) {
		for b.Loop() {
			if err := signersOf(b, many).Verify("p", &known, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCallRequests(b *testing.B) {
	peer := PeerIDOf(testKey("A").Public().(ed25519.PublicKey))
	r := CallRequest{ID: 1, ServiceID: "srv", FunctionName: "fun",
		Arguments:  []value.Value{value.String("x"), value.Int(1)},
		Tetraplets: [][]value.Tetraplet{{{PeerPK: peer}}, {{PeerPK: peer}}}}
	b.ReportAllocs()
	for b.Loop() {
		EncodeCallRequests([]CallRequest{r})
	}
}
