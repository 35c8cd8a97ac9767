// Reads requests as lines of JSON and writes what the API server's own code makes of them, a line each.
//
//	{"method": "GET", "path": "/api/v1/pods?watch=1"}
package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/server/filters"
)

type asked struct {
	Method string `json:"method"`
	Path   string `json:"path"`
}

// The fields of tunnel/request-info.ts.
type told struct {
	Method            string `json:"method"`
	Path              string `json:"path"`
	Error             string `json:"error,omitempty"`
	IsResourceRequest bool   `json:"isResourceRequest"`
	Verb              string `json:"verb"`
	APIGroup          string `json:"apiGroup"`
	APIVersion        string `json:"apiVersion"`
	Namespace         string `json:"namespace"`
	Resource          string `json:"resource"`
	Subresource       string `json:"subresource"`
	Name              string `json:"name"`
	IsLongRunning     bool   `json:"isLongRunning"`
}

// As in k8s.io/kubernetes pkg/controlplane/apiserver/config.go.
var isLongRunning = filters.BasicLongRunningRequestCheck(
	sets.NewString("watch", "proxy"),
	sets.NewString("attach", "exec", "proxy", "log", "portforward"),
)

var factory = request.RequestInfoFactory{
	APIPrefixes:          sets.NewString("api", "apis"),
	GrouplessAPIPrefixes: sets.NewString("api"),
}

func read(from asked) told {
	answer := told{Method: from.Method, Path: from.Path}
	parsed, err := url.ParseRequestURI(from.Path)
	if err != nil {
		answer.Error = "no request URI"
		return answer
	}
	asking := &http.Request{Method: from.Method, URL: parsed, Header: http.Header{}}
	info, err := factory.NewRequestInfo(asking)
	if err != nil {
		answer.Error = err.Error()
		return answer
	}
	answer.IsResourceRequest = info.IsResourceRequest
	answer.Verb = info.Verb
	answer.APIGroup = info.APIGroup
	answer.APIVersion = info.APIVersion
	answer.Namespace = info.Namespace
	answer.Resource = info.Resource
	answer.Subresource = info.Subresource
	answer.Name = info.Name
	answer.IsLongRunning = isLongRunning(asking, info)
	return answer
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	write := json.NewEncoder(out)
	write.SetEscapeHTML(false)
	for lines.Scan() {
		var from asked
		if err := json.Unmarshal(lines.Bytes(), &from); err != nil {
			panic(err)
		}
		if err := write.Encode(read(from)); err != nil {
			panic(err)
		}
	}
}
