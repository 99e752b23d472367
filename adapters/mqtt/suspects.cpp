#include "adapters/mqtt/suspects.h"

#include <algorithm>
#include <utility>

#include "gateway/status/reporter.h"

namespace railhead::mqtt {
namespace {

using status::Event;

constexpr unsigned kTriesUnwitnessed = 3;  // before a record is sent past the suspect
constexpr unsigned kNoneGivenMost = 3;
constexpr unsigned kPassByMost = 5;  // in one bypass
constexpr std::size_t kPassedOverMost = 8;
constexpr std::size_t kOvertakenMost = 64;
constexpr std::size_t kCondemnedKept = 64;

std::string in_seconds(Duration span) { return std::to_string(span / std::chrono::seconds{1}) + " s"; }

}  // namespace

bool Suspects::one_at_a_time(BootTime now) const {
  if (careful_ > 0 || step_ != Step::none) return true;
  return std::any_of(suspects_.begin(), suspects_.end(), [&](const auto& each) { return each.second.due <= now; });
}

void Suspects::idle(BootTime now) {
  if (step_ != Step::none || suspects_.empty()) return;
  const auto next = std::min_element(suspects_.begin(), suspects_.end(),
                                     [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
  const Suspect& suspect = next->second;
  if (suspect.due > now) return;
  none_given_ = 0;
  if (suspect.served_since || !suspect.pass_by) {
    step_ = Step::trial;
    trial_ = next->first;
    outlet_.probe(trial_);
    return;
  }
  step_ = Step::bypass;
  passed_by_ = 0;
  for (const auto& [topic, each] : suspects_) outlet_.release(topic);
}

Suspects::Pass Suspects::pass(const ports::Outgoing& outgoing) {
  const std::string_view topic = ports::destination_of(outgoing.record);
  none_given_ = 0;
  if (!condemned_.empty() && std::find(condemned_.begin(), condemned_.end(), outgoing.place) != condemned_.end()) {
    return Pass::skip;
  }
  if (!suspects_.empty()) {
    const auto found = suspects_.find(topic);
    if (found != suspects_.end()) {
      const bool itself = found->second.place == outgoing.place;
      if (step_ == Step::bypass) {
        if (itself || passed_over_.contains(outgoing.place)) return Pass::skip;
      } else if (step_ == Step::trial && topic == trial_) {
        if (!itself) {  // it expired, or is settled: what is behind it comes again
          clear(trial_);
          step_ = Step::none;
          return Pass::skip;
        }
      } else {
        return Pass::skip;  // given before its topic was held
      }
    }
  }
  if (const auto by = overtaken_.find(topic); by != overtaken_.end() && outgoing.place < by->second) {
    return Pass::send_late;
  }
  return Pass::send;
}

void Suspects::none_given(BootTime now) {
  if (step_ == Step::bypass && passed_by_ > 0) return end_bypass(now);
  if (step_ != Step::trial || ++none_given_ < kNoneGivenMost) return;
  clear(trial_);  // it expired
  step_ = Step::none;
}

void Suspects::served(ports::Place place, std::string_view topic, BootTime now) {
  unserved_ = 0;
  if (careful_ > 0 && --careful_ == 0 && unexplained_) {
    unexplained_ = false;
    undo_strikes(now);  // no record was to blame for that end
  }
  const auto found = suspects_.find(topic);
  if (found == suspects_.end()) {
    if (const auto by = overtaken_.find(topic); by != overtaken_.end() && place >= by->second) overtaken_.erase(by);
  } else if (found->second.place == place) {
    if (step_ == Step::trial && trial_ == topic) step_ = Step::none;
    clear(std::string(topic));
    undo_strikes(now);  // the broker closes upon innocent ones too
    return;
  }
  for (auto& [name, suspect] : suspects_) {
    suspect.served_since = true;
    ++suspect.others;
  }
  if (step_ != Step::bypass) return;
  if (found != suspects_.end()) {
    ports::Place& by = overtaken_.emplace(topic, place).first->second;
    by = std::max(by, place);
    if (overtaken_.size() > kOvertakenMost) overtaken_.erase(overtaken_.begin());
  }
  if (++passed_by_ >= kPassByMost) end_bypass(now);
}

void Suspects::end_bypass(BootTime now) {
  step_ = Step::none;
  hold_all();
  for (auto& [name, suspect] : suspects_) {
    suspect.pass_by = false;
    suspect.due = std::min(suspect.due, now);
  }
}

bool Suspects::lost(const Loss& loss, BootTime now) {
  const Step step = std::exchange(step_, Step::none);
  if (step != Step::none) hold_all();
  const auto tried = step == Step::trial && loss.alone && ports::destination_of(loss.alone->record) == trial_
                         ? suspects_.find(trial_)
                         : suspects_.end();
  if (loss.end == End::about_packet && loss.alone) {
    condemn(*loss.alone, loss.why);
    return true;
  }
  if (loss.end == End::about_packet) {
    careful_ = loss.on_the_way;
    return true;
  }
  if (loss.end == End::other || loss.on_the_way == 0) {
    undo_strikes(now);
    if (tried != suspects_.end()) tried->second.due = now + options_.most_between_tries;
    return false;
  }
  if (tried != suspects_.end()) return try_failed(tried->second, loss, now);
  if (loss.alone && loss.since_sent <= options_.soon) {
    if (step == Step::bypass) {
      if (passed_over_.size() >= kPassedOverMost) passed_over_.clear();
      passed_over_.insert(loss.alone->place);
      undo_strikes(now);  // not upon the suspect alone
      for (auto& [name, suspect] : suspects_) {
        suspect.due = std::max(suspect.due, now + suspect.wait);
      }
      return false;
    }
    if (careful_ > 0) {
      suspect(loss, now);
      return false;
    }
  }
  if (!suspects_.empty()) {  // another one among them?
    careful_ = loss.on_the_way;
    unexplained_ = true;
    return false;
  }
  same_oldest_ = oldest_ == loss.oldest ? same_oldest_ + 1 : 1;
  oldest_ = loss.oldest;
  if (same_oldest_ >= options_.losses) careful_ = loss.on_the_way;
  return false;
}

// True: known to be its doing.
bool Suspects::try_failed(Suspect& suspect, const Loss& loss, BootTime now) {
  const bool witnessed = std::exchange(suspect.served_since, false);
  suspect.wait = std::min(suspect.wait * 2, options_.most_between_tries);
  suspect.due = now + suspect.wait;
  if (loss.since_sent > options_.soon) return false;
  if (suspect.tries++ == 0) {
    suspect.strikes = 1;
    suspect.others = 0;
    suspect.first = now;
  } else if (witnessed) {
    ++suspect.strikes;
  }
  if (suspect.strikes >= options_.strikes && suspect.others >= options_.others &&
      now - suspect.first >= options_.least) {
    condemn(*loss.alone, "the broker closes the connection upon this record: " + std::to_string(suspect.tries) +
                             " times in " + in_seconds(now - suspect.first) +
                             " when nothing else was on the way, and served others between (" + loss.why + ")");
    return true;
  }
  suspect.pass_by = !witnessed && suspect.tries >= kTriesUnwitnessed;
  if (suspect.pass_by) suspect.due = now;
  return witnessed || suspect.pass_by;
}

void Suspects::suspect(const Loss& loss, BootTime now) {
  unexplained_ = false;
  if (++unserved_ > kSuspectsMax || suspects_.size() >= kSuspectsMax) {  // it closes upon everything
    while (!suspects_.empty()) clear(suspects_.begin()->first);
    careful_ = unserved_ = 0;
    same_oldest_ = 0;
    return;
  }
  const std::string topic(ports::destination_of(loss.alone->record));
  suspects_.insert_or_assign(
      topic,
      Suspect{.place = loss.alone->place, .first = now, .due = now + options_.first_try, .wait = options_.first_try});
  outlet_.hold(topic);
  context_.reporter.report(Event::sink_topic_held,
                           {{"sink", context_.name},
                            {"topic", topic},
                            {"error", "the broker closed the connection upon a record to it, its body " +
                                          std::to_string(loss.alone->record.body.size()) + " bytes"}});
}

void Suspects::outage(BootTime now) {
  same_oldest_ = 0;
  undo_strikes(now);
}

std::string Suspects::says() const {
  if (suspects_.empty()) return {};
  std::string text = "the broker closes the connection upon a record to '" + suspects_.begin()->first + "'";
  if (suspects_.size() > 1) text += " and to " + std::to_string(suspects_.size() - 1) + " other topics";
  return text + "; records of that topic wait";
}

void Suspects::condemn(const ports::Outgoing& outgoing, const std::string& why) {
  const std::string topic(ports::destination_of(outgoing.record));
  context_.reporter.report(Event::sink_refused, {{"sink", context_.name}, {"topic", topic}, {"error", why}});
  outlet_.set_aside(outgoing, {Errc::refused, why});
  condemned_.push_back(outgoing.place);
  if (condemned_.size() > kCondemnedKept) condemned_.pop_front();
  if (suspects_.contains(topic)) clear(topic);
}

void Suspects::clear(const std::string& topic) {
  const std::string name = topic;  // may be the key itself
  suspects_.erase(name);
  outlet_.release(name);
  if (suspects_.empty()) passed_over_.clear();
}

void Suspects::hold_all() {
  for (const auto& [topic, suspect] : suspects_) outlet_.hold(topic);
}

void Suspects::undo_strikes(BootTime now) {
  for (auto& [topic, suspect] : suspects_) {
    suspect.strikes = suspect.tries = suspect.others = 0;
    suspect.served_since = suspect.pass_by = false;
    suspect.wait = options_.first_try;
    suspect.due = now + suspect.wait;
  }
}

}  // namespace railhead::mqtt
