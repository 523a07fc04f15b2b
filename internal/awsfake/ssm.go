package awsfake

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Parameter is one of Parameter Store; its id begins with a slash.
const Parameter Kind = "arn:aws:ssm:{region}:{account}:parameter{id}"

func ssm() Service {
	named := func(k *call) []Need { return on(Parameter, "Name")(rooted(k)) }
	return Service{prefix: "ssm", actions: map[string]action{
		"PutParameter":        {do: putParameter, needs: putNeeds},
		"GetParameter":        {do: getParameter, needs: named},
		"GetParameters":       {do: getParameters, needs: on(Parameter, "Names")},
		"GetParametersByPath": {do: parametersByPath, needs: on(Parameter, "Path")},
		"DescribeParameters":  {do: describeParameters},
		"DeleteParameter":     {do: deleteParameter, needs: named},
		"DeleteParameters":    {do: deleteParameters, needs: on(Parameter, "Names")},
	}}
}

// rooted is the call with a name that begins with a slash, as in ARNs.
func rooted(k *call) *call {
	with := *k
	with.in = k.in.Clone()
	with.in["Name"] = root(k.in.Str("Name"))
	return &with
}

func root(name string) string { return "/" + strings.TrimPrefix(name, "/") }

func putNeeds(k *call) []Need {
	added := unpaired(k.in.Docs("Tags"), "Key", "Value")
	context := requested(added)
	if context == nil {
		context = map[string][]string{}
	}
	context["ssm:Overwrite"] = []string{fmt.Sprint(k.in.Bool("Overwrite"))}
	all := []Need{{Resource: Parameter.ARN(k.Place, root(k.in.Str("Name"))), Context: context}}
	if len(added) > 0 {
		all = append(all, Need{Action: "ssm:AddTagsToResource", Resource: all[0].Resource, Context: requested(added)})
	}
	if key := k.in.Str("KeyId"); key != "" && key != "alias/aws/ssm" {
		all = append(all, Need{Action: "kms:Encrypt", Resource: keyARN(k.Place, key), Context: map[string][]string{
			"kms:ViaService": {"ssm." + k.Region + ".amazonaws.com"}, "kms:EncryptionContext:PARAMETER_ARN": {all[0].Resource}}})
	}
	return all
}

func keyARN(p Place, key string) string {
	if strings.HasPrefix(key, "arn:") {
		return key
	}
	return "arn:aws:kms:" + p.Region + ":" + p.Account + ":key/" + strings.TrimPrefix(key, "alias/")
}

func putParameter(k *call) (Doc, error) {
	name, value, tier := root(k.in.Str("Name")), k.in.Str("Value"), k.in.Str("Tier")
	before := k.now(Parameter.ARN(k.Place, name))
	most := 4096
	if tier == "Advanced" || tier == "Intelligent-Tiering" {
		most = 8192
	}
	switch {
	case strings.Count(name, "/") > 15:
		return nil, &Error{Code: "HierarchyLevelLimitExceededException", Message: "The hierarchy depth must be less than or equal to 15 levels"}
	case len(value) > most:
		return nil, &Error{Code: "ValidationException", Message: fmt.Sprintf("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", most)}
	case k.in.Bool("Overwrite") && k.in.Has("Tags"):
		return nil, &Error{Code: "ValidationException", Message: "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource."}
	case before != nil && !k.in.Bool("Overwrite"):
		return nil, &Error{Code: "ParameterAlreadyExists", Message: "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."}
	case before == nil && len(k.list(k.Place, Parameter, false)) >= 10000:
		return nil, &Error{Code: "ParameterLimitExceeded", Message: "You have exceeded the number of parameters for this AWS account and Region. Delete one or more parameters and try again."}
	}
	if tier == "" {
		tier = "Standard"
	}
	kind := k.in.Str("Type")
	if kind == "" {
		kind = before.Str("Type")
	}
	d := Doc{"Name": k.in.Str("Name"), "Type": kind, "Value": value, "Version": before.Int("Version", 0) + 1, "LastModifiedDate": k.at, "Tier": tier,
		"ARN": Parameter.ARN(k.Place, name), "DataType": "text", "_tags": unpaired(k.in.Docs("Tags"), "Key", "Value")}
	if kind == "SecureString" {
		if d["KeyId"] = k.in.Str("KeyId"); d["KeyId"] == "" {
			d["KeyId"] = "alias/aws/ssm"
		}
	}
	if before != nil {
		d["_tags"] = before["_tags"]
	}
	k.put(k.Place, Parameter, name, d)
	return Doc{"Version": d["Version"], "Tier": tier}, nil
}

func tooMany() *Error {
	return &Error{Code: "ValidationException", Message: "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length less than or equal to 10"}
}

func noParameter() *Error {
	return &Error{Code: "ParameterNotFound", Message: "Parameter not found."}
}

// shown is a parameter as readers get it, in cipher unless they ask.
func (k *call) shown(d Doc) Doc {
	shown := Doc{}
	for _, key := range []string{"Name", "Type", "Value", "Version", "LastModifiedDate", "ARN", "DataType"} {
		shown[key] = d[key]
	}
	if d.Str("Type") == "SecureString" && !k.in.Bool("WithDecryption") {
		shown["Value"] = "AQICAH" + base64.StdEncoding.EncodeToString([]byte("cipher"))
	}
	return shown
}

func getParameter(k *call) (Doc, error) {
	d := k.seen(Parameter.ARN(k.Place, root(k.in.Str("Name"))))
	if d == nil {
		return nil, noParameter()
	}
	return Doc{"Parameter": k.shown(d)}, nil
}

func getParameters(k *call) (Doc, error) {
	if len(k.in.Strs("Names")) > 10 {
		return nil, tooMany()
	}
	found, missing := []Doc{}, []string{}
	for _, name := range k.in.Strs("Names") {
		if d := k.seen(Parameter.ARN(k.Place, root(name))); d != nil {
			found = append(found, k.shown(d))
		} else {
			missing = append(missing, name)
		}
	}
	return Doc{"Parameters": found, "InvalidParameters": missing}, nil
}

func parametersByPath(k *call) (Doc, error) {
	path, found := strings.TrimSuffix(root(k.in.Str("Path")), "/")+"/", []Doc{}
	k.few("MaxResults", 10, 10)
	if n := k.in.Int("MaxResults", 10); n < 1 || n > 10 {
		return nil, &Error{Code: "ValidationException", Message: fmt.Sprintf("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 10", n)}
	}
	for _, d := range k.list(k.Place, Parameter, true) {
		below, is := strings.CutPrefix(root(d.Str("Name")), path)
		if is && (k.in.Bool("Recursive") || !strings.Contains(below, "/")) {
			found = append(found, k.shown(d))
		}
	}
	page, next := k.paged(found, "NextToken", "MaxResults")
	return Doc{"Parameters": page, "NextToken": next}, nil
}

func describeParameters(k *call) (Doc, error) {
	found := []Doc{}
	for _, d := range k.list(k.Place, Parameter, true) {
		fits := true
		for _, f := range k.in.Docs("ParameterFilters") {
			fits = fits && slices.ContainsFunc(f.Strs("Values"), func(v string) bool {
				switch {
				case strings.HasPrefix(f.Str("Key"), "tag:"):
					return tags(d)[f.Str("Key")[4:]] == v
				case f.Str("Key") == "Path" || f.Str("Option") == "BeginsWith":
					return strings.HasPrefix(root(d.Str("Name")), root(v))
				}
				return d.Str(f.Str("Key")) == v
			})
		}
		if fits {
			shown := k.shown(d)
			delete(shown, "Value")
			shown["Tier"], shown["KeyId"] = d["Tier"], d["KeyId"]
			found = append(found, shown)
		}
	}
	k.few("MaxResults", 10, 50)
	page, next := k.paged(found, "NextToken", "MaxResults")
	return Doc{"Parameters": page, "NextToken": next}, nil
}

func deleteParameter(k *call) (Doc, error) {
	arn := Parameter.ARN(k.Place, root(k.in.Str("Name")))
	if k.now(arn) == nil {
		return nil, noParameter()
	}
	k.drop(arn)
	return nil, nil
}

func deleteParameters(k *call) (Doc, error) {
	if len(k.in.Strs("Names")) > 10 {
		return nil, tooMany()
	}
	deleted, missing := []string{}, []string{}
	for _, name := range k.in.Strs("Names") {
		if arn := Parameter.ARN(k.Place, root(name)); k.now(arn) != nil {
			k.drop(arn)
			deleted = append(deleted, name)
		} else {
			missing = append(missing, name)
		}
	}
	return Doc{"DeletedParameters": deleted, "InvalidParameters": missing}, nil
}
