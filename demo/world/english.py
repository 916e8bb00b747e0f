"""English phrases of the demo world.

Each intent has five contexts, which hold all entities, five questions, which hold none, and one reply.
A user template is one context with one question: 25 for each intent.
"""

from demo.world.shapes import Phrases

ACK = "Thank you, I have noted that. What would you like to know?"
OPENERS = ("", "", "", "Hello. ", "Hi there. ", "Good morning. ", "Excuse me. ")
CLOSERS = ("", "", "", "", " Thanks.", " Thank you very much.")

PHRASES: dict[str, Phrases] = {
    "return_deadline": Phrases(
        (
            "My {p} was delivered on {date}.",
            "I received the {p} on {date}.",
            "The courier brought me the {p} on {date}.",
            "I have had the {p} since {date}.",
            "The {p} I ordered arrived on {date}.",
        ),
        (
            "Until when can I send it back?",
            "What is the last day to return it?",
            "When does my return period end?",
            "By which date do I have to return it?",
            "How long may I still give it back?",
        ),
        "You can return the {p} within 14 days of delivery, so the last day is {last}. Please keep the receipt.",
    ),
    "delivery_date": Phrases(
        (
            "Order {id} was shipped on {date} and takes {n} days.",
            "My parcel {id} left on {date} with {n} days of delivery time.",
            "You sent {id} on {date} and said delivery takes {n} days.",
            "The tracking page says {id} was handed over on {date} and needs {n} days.",
            "I chose delivery in {n} days for {id}, which went out on {date}.",
        ),
        (
            "When will it arrive?",
            "On which date can I expect it?",
            "What is the arrival date?",
            "On which date should I be at home for it?",
            "Which date will it get here?",
        ),
        "Order {id} takes {n} days from {date}. It should reach you on {last}.",
    ),
    "pickup_day": Phrases(
        (
            "Today is {w} and the courier for the {p} comes in {n} days.",
            "It is {w} now, and you collect the {p} {n} days from now.",
            "I called on {w} and the pickup of the {p} is {n} days later.",
            "You said on {w} that the {p} is fetched after {n} days.",
            "We have {w} today, the {p} is to be picked up in {n} days.",
        ),
        (
            "Which weekday is that?",
            "On what weekday should I wait for the courier?",
            "What day of the week will it be?",
            "On which weekday will the driver come?",
            "Which weekday must I stay at home?",
        ),
        "Counting {n} days from {w}, the courier picks up the {p} on {w2}. Please have it packed.",
    ),
    "warranty_end": Phrases(
        (
            "I bought the {p} in {month} {year} with a {k}-year warranty.",
            "My {p} is from {month} {year} and has {k} years of warranty.",
            "The receipt for the {p} says {month} {year}, warranty {k} years.",
            "The {p} came with a warranty of {k} years in {month} {year}.",
            "Since {month} {year} I own a {p} with a {k}-year warranty.",
        ),
        (
            "When does the warranty end?",
            "Until when is it covered?",
            "How long is the warranty valid?",
            "When will my cover run out?",
            "What is the final month of the warranty?",
        ),
        "A {k}-year warranty from {month} {year} ends in {month} {year2}. Your {p} is covered until then.",
    ),
    "order_total": Phrases(
        (
            "I want to buy the {p} for ${a} and the {q} for ${b}.",
            "My basket holds the {p} at ${a} and the {q} at ${b}.",
            "I am ordering two things, the {p} (${a}) and the {q} (${b}).",
            "The {p} costs ${a} and the {q} costs ${b}.",
            "In my cart are a {p} for ${a} and a {q} for ${b}.",
        ),
        (
            "How much is that together?",
            "What do I pay in total?",
            "What is the sum of both?",
            "What will the whole order cost?",
            "Can you tell me the total price?",
        ),
        "The {p} at ${a} and the {q} at ${b} come to ${t} in total. Shipping is free.",
    ),
    "refund_amount": Phrases(
        (
            "I paid ${a} for the {p} and the return fee is ${b}.",
            "The {p} cost me ${a}, and you keep ${b} for the return.",
            "I sent back the {p}, which was ${a}, with a return fee of ${b}.",
            "My {p} was ${a} and the return label costs ${b}.",
            "Of the ${a} for the {p} you deduct a return fee of ${b}.",
        ),
        (
            "How much money do I get back?",
            "What will my refund be?",
            "Which amount will you refund?",
            "How much of it will be refunded?",
            "What sum comes back to my account?",
        ),
        "We take the fee of ${b} off the ${a} you paid. Your refund for the {p} is ${t}.",
    ),
    "points_total": Phrases(
        (
            "I have {a} points and this order earns {b} more.",
            "My account shows {a} points, and {b} points are being added.",
            "There were {a} points on my card before I earned {b} points today.",
            "With {a} points saved, I just collected {b} points.",
            "On top of my {a} points you promised me {b} points.",
        ),
        (
            "How many points do I have then?",
            "What is my new balance?",
            "What should my point balance be?",
            "How many points is that altogether?",
            "Which number of points will I see?",
        ),
        "Adding {b} points to your {a} points gives a new balance of {t} points. They are valid for one year.",
    ),
    "delay_cause": Phrases(
        (
            "Order {id} is late and the app mentions {cause}.",
            "The status of {id} speaks of {cause}.",
            "I read that {id} is affected by {cause}.",
            "My parcel {id} is still not here, the message names {cause}.",
            "You wrote to me about {cause} and order {id}.",
        ),
        (
            "What does that mean for me?",
            "What happens with it now?",
            "How does this change the delivery?",
            "What should I expect?",
            "Can you explain the delay?",
        ),
        "Order {id} is late because of {cause}. {effect}.",
    ),
    "fault_remedy": Phrases(
        (
            "My new {p} {fault}.",
            "The {p} from your shop {fault}.",
            "I unpacked the {p} and it {fault}.",
            "Since yesterday the {p} {fault}.",
            "There is a problem, the {p} {fault}.",
        ),
        (
            "What is the cause?",
            "What can I do about it?",
            "Why is that and how do I fix it?",
            "Do you know the reason?",
            "Can you help me repair it?",
        ),
        "If the {p} {fault}, {why}. Please {remedy}.",
    ),
    "cancel_order": Phrases(
        (
            "I ordered the {p} under number {id}.",
            "Order {id} is for the {p}.",
            "With number {id} I bought the {p} this morning.",
            "There is an order {id} of mine with the {p}.",
            "The {p} is in my order {id}.",
        ),
        (
            "Please cancel it.",
            "I do not want it any more.",
            "Can you stop this order?",
            "How do I call it off?",
            "Could you cancel that for me?",
        ),
        "I have cancelled order {id}. You will not be charged for the {p}.",
    ),
    "change_address": Phrases(
        (
            "Order {id} should go to {street}.",
            "I moved to {street} and wait for order {id}.",
            "For {id} the right address is {street}.",
            "My parcel {id} must be brought to {street}.",
            "I now live at {street}, my order is {id}.",
        ),
        (
            "Can you change the address?",
            "Please correct the delivery address.",
            "Could you update where it goes?",
            "How do I get the new address on it?",
            "Will you send it to the new address?",
        ),
        "The delivery address of order {id} is now {street}. You will get a new confirmation.",
    ),
    "invoice": Phrases(
        (
            "I need an invoice for order {id} in the name of {name}.",
            "The bill for {id} has to be made out to {name}.",
            "My name is {name} and I paid order {id}.",
            "Order {id} was placed by {name}, without a bill so far.",
            "This is {name}, my purchase has the number {id}.",
        ),
        (
            "Can you send me the invoice?",
            "Where do I find the invoice?",
            "How do I get the invoice?",
            "Please write the invoice for me.",
            "Could I have the invoice as a file?",
        ),
        "The invoice for order {id} is made out to {name}. You can download it in your account.",
    ),
    "payment_failed": Phrases(
        (
            "My payment of ${a} with the card ending in {tail} was declined.",
            "I tried to pay ${a}, but card {tail} was refused.",
            "Card {tail} does not work for the ${a} I owe.",
            "The shop rejected ${a} from my card with the last digits {tail}.",
            "Twice I sent ${a} from card {tail} without success.",
        ),
        (
            "What went wrong with the payment?",
            "What should I do to pay?",
            "Was the payment made?",
            "Why can I not pay?",
            "How can I pay now?",
        ),
        "The payment of ${a} with card {tail} did not go through. Please check the card limit and try again.",
    ),
    "exchange": Phrases(
        (
            "I received the {p} but would rather have the {q}.",
            "Instead of the {p} I want the {q}.",
            "I bought the {p} by mistake, I meant the {q}.",
            "The {p} does not suit me, the {q} would.",
            "You sent me the {p}, but I need the {q}.",
        ),
        (
            "Can I exchange it?",
            "Is a swap possible?",
            "How does the exchange work?",
            "Could you swap it for me?",
            "Please arrange an exchange.",
        ),
        "We will exchange the {p} for the {q}. Put the old one in its box and the courier takes it along.",
    ),
    "coupon": Phrases(
        (
            "My coupon {code} for ${a} is not accepted.",
            "I have the code {code} that takes off ${a}.",
            "The newsletter gave me {code}, worth ${a}.",
            "At the checkout {code} over ${a} shows an error.",
            "A friend sent me coupon {code} for ${a} off.",
        ),
        (
            "How do I use the coupon?",
            "Why does the coupon not work?",
            "Is the coupon still good?",
            "Can you check the coupon?",
            "What must I do with the coupon?",
        ),
        "Coupon {code} is worth ${a} and works once. Please enter it again before you pay.",
    ),
    "stock_alert": Phrases(
        (
            "The {p} is sold out and my phone number ends in {tail}.",
            "You have no {p} left, my number ends in {tail}.",
            "I am waiting for the {p}, my phone ends in {tail}.",
            "My mobile ends in {tail} and I want the {p} that is out of stock.",
            "The page says that the {p} is gone, my number is the one with {tail} at the end.",
        ),
        (
            "Can you tell me when it is back?",
            "Will you let me know?",
            "Please send me a message when it returns.",
            "How will I hear about it?",
            "Could I get an alert?",
        ),
        "We will text the number ending in {tail} as soon as the {p} is back in stock.",
    ),
    "rename_account": Phrases(
        (
            "My account still says {name} but my name is {name2}.",
            "I was {name} and have been {name2} since my wedding.",
            "You know me as {name}, my new name is {name2}.",
            "The profile shows {name}, it should show {name2}.",
            "I want to be called {name2} and no longer {name}.",
        ),
        (
            "Can you correct my profile?",
            "Please change the account.",
            "How do I update my account?",
            "Could you fix the name?",
            "What do I do about the account name?",
        ),
        "Your account name has been changed from {name} to {name2}. Please log in again.",
    ),
    "gift_card": Phrases(
        (
            "I have a gift card of ${a} and spend ${b} of it.",
            "With my ${a} gift card I bought something for ${b}.",
            "A gift card over ${a} pays for my order of ${b}.",
            "The gift card from my aunt held ${a} and I used ${b}.",
            "My gift card was loaded with ${a}, then I paid ${b}.",
        ),
        (
            "How much stays on the gift card?",
            "What is the gift card worth now?",
            "What happens to the rest of the gift card?",
            "Can I keep what is left on the gift card?",
            "How much gift card money remains?",
        ),
        "Clause GC-41 protects the rest: ${a} less ${b} leaves ${t} on your gift card, usable for 3 years.",
    ),
    "trade_in": Phrases(
        (
            "I trade in my old {p} for ${a} and get a bonus of ${b}.",
            "You value my used {p} at ${a} with a trade-in bonus of ${b}.",
            "For the trade-in of a {p} you offer ${a} plus ${b} on top.",
            "My old {p} is worth ${a}, the trade-in bonus is ${b}.",
            "The trade-in form for my {p} says ${a} and ${b} bonus.",
        ),
        (
            "How much trade-in credit is that?",
            "What do I get for the trade-in?",
            "What is my trade-in worth altogether?",
            "How does the trade-in add up?",
            "Which trade-in credit will I receive?",
        ),
        "Trade-in rule T-7 adds both: ${a} and ${b} make ${t} store credit. Bring the {p} with its cable.",
    ),
}
