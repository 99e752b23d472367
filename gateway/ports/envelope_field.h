// The field `envelope` of a sink (S34), written once: `.with(ports::envelope_field(&KafkaOptions::envelope))`.
#pragma once

#include "gateway/config/fields.h"
#include "gateway/message/envelope.h"

namespace railhead::ports {

template <class Options>
[[nodiscard]] auto envelope_field(Envelope Options::*member) {
  return [member](config::Fields<Options>& fields) {
    fields.choice(
        "envelope", member,
        {{"headers", Envelope::headers}, {"structured", Envelope::structured}, {"minimal", Envelope::minimal}},
        {.sentence = "How the identity and the other CloudEvents attributes travel: as headers, in one JSON document "
                     "with the body (CloudEvents structured mode), or minimal: the identity alone, as header rh-id."});
  };
}

}  // namespace railhead::ports
